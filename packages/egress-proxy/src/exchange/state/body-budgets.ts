/** Bounds the bytes of all bodies that one sandbox has collected at one time. */
export interface BodyBudget {
  /** Takes this many bytes if they are available. The caller has to give them back. */
  tryTake(bytes: number): boolean;
  give(bytes: number): void;
}

export interface BodyBudgets {
  of(sandboxId: string): BodyBudget;
  /** Number of sandboxes that have taken bytes. */
  readonly count: number;
}

/**
 * Creates a budget for each sandbox. Nothing is shared between them, so that no
 * sandbox learns from the framing of its requests what another one does.
 */
export function createBodyBudgets(deps: { bytesPerSandboxMax: number }): BodyBudgets {
  const taken = new Map<string, number>();
  return {
    of: (sandboxId) => new SandboxBudget(taken, sandboxId, deps.bytesPerSandboxMax),
    get count() {
      return taken.size;
    },
  };
}

class SandboxBudget implements BodyBudget {
  readonly #taken: Map<string, number>;
  readonly #sandboxId: string;
  readonly #bytesMax: number;

  constructor(taken: Map<string, number>, sandboxId: string, bytesMax: number) {
    this.#taken = taken;
    this.#sandboxId = sandboxId;
    this.#bytesMax = bytesMax;
  }

  tryTake(bytes: number): boolean {
    const total = (this.#taken.get(this.#sandboxId) ?? 0) + bytes;
    if (total > this.#bytesMax) return false;
    this.#change(total);
    return true;
  }

  give(bytes: number): void {
    this.#change((this.#taken.get(this.#sandboxId) ?? 0) - bytes);
  }

  #change(bytes: number): void {
    if (bytes > 0) this.#taken.set(this.#sandboxId, bytes);
    else this.#taken.delete(this.#sandboxId);
  }
}
