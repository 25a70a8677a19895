/** What the bodies that one sandbox has collected at the same time may hold together. */
export interface BodyBudget {
  /** Takes this many bytes if they are left. Whoever takes them gives them back. */
  tryTake(bytes: number): boolean;
  give(bytes: number): void;
}

export interface BodyBudgets {
  of(sandboxId: string): BodyBudget;
  /** Sandboxes that have taken something. */
  readonly count: number;
}

/**
 * A budget for each sandbox. Nothing is shared between them, so that no
 * sandbox learns from the framing of its requests what another one does.
 */
export function createBodyBudgets(deps: { bytesPerSandboxMax: number }): BodyBudgets {
  const taken = new Map<string, number>();
  const change = (sandboxId: string, bytes: number): void => {
    if (bytes > 0) taken.set(sandboxId, bytes);
    else taken.delete(sandboxId);
  };

  return {
    of: (sandboxId) => ({
      tryTake(bytes) {
        const total = (taken.get(sandboxId) ?? 0) + bytes;
        if (total > deps.bytesPerSandboxMax) return false;
        change(sandboxId, total);
        return true;
      },
      give(bytes) {
        change(sandboxId, (taken.get(sandboxId) ?? 0) - bytes);
      },
    }),
    get count() {
      return taken.size;
    },
  };
}
