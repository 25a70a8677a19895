/**
 * A terminal that this client is attached to. It goes on when the client goes
 * away: `pty.attach` leads back to it.
 *
 * Its output goes to `onOutput`, or else to whoever iterates:
 * `for await (const data of terminal)`. A client that does not take the output
 * makes the program wait.
 */
export interface Terminal extends AsyncIterable<Uint8Array> {
  /** Leads to the terminal again, from anywhere. */
  readonly sessionId: string;
  /** Types text (as UTF-8) or bytes: `"ls\n"`, `"\x03"` for Ctrl-C. Resolves when more may be sent. */
  send(data: string | Uint8Array): Promise<void>;
  /** Gives the terminal another size in characters, 1-1000 each. */
  resize(cols: number, rows: number): Promise<void>;
  /** Ends the terminal as closing its window does; {@link exited} is then 129 as a rule. */
  kill(): Promise<void>;
  /** Detaches: the shell runs on, and what waits for it rejects. */
  close(): void;
  /**
   * The shell's exit code, once it has ended and its output is handed on: 128 + n after signal
   * n. Output that nobody takes is dropped.
   *
   * @throws {OpenComputerError} `connection_failed` when the connection is lost: attach again.
   */
  readonly exited: Promise<number>;
  /** The same as {@link exited}. */
  wait(): Promise<number>;
}
