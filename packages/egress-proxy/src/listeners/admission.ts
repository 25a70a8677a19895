/** What the connection table knows of one connection, while it is open. */
export interface Admission {
  /**
   * Whether the sandbox has no room for the connection: its first request gets
   * that as its response, and then it is closed.
   */
  readonly isRefused: boolean;
  /** Reports that no request is in progress; `close` is called when another connection needs the room. */
  idle(close: () => void): void;
  /** Reports that a request has begun. */
  busy(): void;
}
