/** What becomes of a terminal's output. */
export interface AttachTerminalOptions {
  /**
   * Gets what the terminal shows, raw, as a terminal emulator takes it. Until a promise that it
   * returns resolves, nothing more is read. Absent, the output is read by iterating.
   */
  onOutput?: ((data: Uint8Array) => void | Promise<void>) | undefined;
  /** Detaches; what waits for the terminal then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * A terminal that this client is attached to. It continues when the client
 * disconnects: `pty.attach` attaches to it again.
 *
 * Its output goes to `onOutput`, or else to the program that iterates:
 * `for await (const data of terminal)`. A client that does not read the output
 * makes the program in the terminal wait.
 */
export interface Terminal extends AsyncIterable<Uint8Array> {
  /** The id by which any client can attach to the terminal. */
  readonly sessionId: string;
  /** Types text (as UTF-8) or bytes: `"ls\n"`, `"\x03"` for Ctrl-C. Resolves when more may be sent. */
  send(data: string | Uint8Array): Promise<void>;
  /** Resizes the terminal, in characters, 1-1000 each. */
  resize(cols: number, rows: number): Promise<void>;
  /** Ends the terminal as closing its window does; {@link exited} is then 129 as a rule. */
  kill(): Promise<void>;
  /** Detaches: the shell keeps running, and promises that wait for it reject. */
  close(): void;
  /**
   * The shell's exit code, once it has ended and its output was delivered: 128 + n after signal
   * n. Output that is not read is dropped.
   *
   * @throws {OpenComputerError} `connection_failed` when the connection is lost: attach again.
   */
  readonly exited: Promise<number>;
  /** The same as {@link exited}. */
  wait(): Promise<number>;
}
