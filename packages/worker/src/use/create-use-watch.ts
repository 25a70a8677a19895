/** Anything that carries bytes, such as a socket. */
export interface Connection {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** The use of a sandbox that this worker has seen since it started. */
export interface SandboxUse {
  /** Undefined when there was none. */
  readonly lastUsedAt: Date | undefined;
  /** Operations under way: each counts as use until it ends. */
  readonly operations: number;
}

/**
 * Records the use of sandboxes by their callers: commands and files while they
 * are under way, and open connections (sessions, terminals, previews) while they
 * carry bytes.
 */
export interface UseWatch {
  /** Begins an operation; the returned function ends it. */
  begin(sandboxId: string): () => void;
  /** Watches a connection until the returned function is called. */
  watch(sandboxId: string, connection: Connection): () => void;
  useOf(sandboxId: string): SandboxUse;
  /** Forgets a sandbox that was removed. */
  forget(sandboxId: string): void;
  close(): void;
}

interface Use {
  lastUsedAt: number | undefined;
  operations: number;
  /** Watched connections, with the bytes that had passed when they were last looked at. */
  readonly connections: Map<Connection, number>;
}

/** How exact the time of the last byte is. */
const sampleMilliseconds = 5_000;

export function createUseWatch(now: () => number = Date.now): UseWatch {
  const uses = new Map<string, Use>();

  function useOf(sandboxId: string): Use {
    const known = uses.get(sandboxId);
    if (known !== undefined) return known;
    const use: Use = { lastUsedAt: undefined, operations: 0, connections: new Map() };
    uses.set(sandboxId, use);
    return use;
  }

  function sample(use: Use): void {
    for (const [connection, before] of use.connections) {
      const passed = bytesOf(connection);
      if (passed === before) continue;
      use.connections.set(connection, passed);
      use.lastUsedAt = now();
    }
  }

  const timer = setInterval(() => {
    for (const use of uses.values()) sample(use);
  }, sampleMilliseconds);
  timer.unref();

  return {
    begin(sandboxId) {
      const use = useOf(sandboxId);
      use.operations += 1;
      use.lastUsedAt = now();
      return () => {
        use.operations -= 1;
        use.lastUsedAt = now();
      };
    },
    watch(sandboxId, connection) {
      const use = useOf(sandboxId);
      use.lastUsedAt = now();
      use.connections.set(connection, bytesOf(connection));
      return () => {
        sample(use);
        use.connections.delete(connection);
      };
    },
    useOf(sandboxId) {
      const use = uses.get(sandboxId);
      if (use === undefined) return { lastUsedAt: undefined, operations: 0 };
      sample(use);
      const { lastUsedAt, operations } = use;
      return {
        lastUsedAt: lastUsedAt === undefined ? undefined : new Date(lastUsedAt),
        operations,
      };
    },
    forget: (sandboxId) => void uses.delete(sandboxId),
    close: () => clearInterval(timer),
  };
}

function bytesOf({ bytesRead, bytesWritten }: Connection): number {
  return bytesRead + bytesWritten;
}
