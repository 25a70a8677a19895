/** The visits under way that something else may end. */
export interface OpenVisits {
  /** Follows one that a token or a cookie has opened; returns what stops following it. */
  followAuthorized(sandboxId: string, end: () => void): () => void;
  /** Ends those of a sandbox that its former token, or a cookie of that time, has opened. */
  endAuthorized(sandboxId: string): void;
  /** Follows a WebSocket; returns what stops following it. */
  followWebSocket(end: () => void): () => void;
  endWebSockets(): void;
}

export function createOpenVisits(): OpenVisits {
  const authorized = new Map<string, Set<() => void>>();
  const webSockets = new Set<() => void>();

  return {
    followAuthorized(sandboxId, end) {
      const ends = authorized.get(sandboxId) ?? new Set();
      authorized.set(sandboxId, ends.add(end));
      return () => {
        ends.delete(end);
        if (ends.size === 0 && authorized.get(sandboxId) === ends) authorized.delete(sandboxId);
      };
    },

    endAuthorized(sandboxId) {
      for (const end of [...(authorized.get(sandboxId) ?? [])]) end();
    },

    followWebSocket(end) {
      webSockets.add(end);
      return () => webSockets.delete(end);
    },

    endWebSockets() {
      for (const end of webSockets) end();
    },
  };
}
