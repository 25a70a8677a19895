import { OpenComputerError } from "../open-computer-error.ts";

/** A second command for a shell that is still running one. Code `shell_busy`; nothing was sent. */
export class ShellBusyError extends OpenComputerError {
  constructor(sessionId: string) {
    super(
      "shell_busy",
      `Shell ${sessionId} still runs a command: wait for its end, or open another shell for it`,
    );
    this.name = "ShellBusyError";
  }
}

/** A command for a shell that has ended, was closed, or was lost. Code `shell_closed`; nothing was sent. */
export class ShellClosedError extends OpenComputerError {
  constructor(sessionId: string, reason: string, options: { cause?: unknown } = {}) {
    super("shell_closed", `Shell ${sessionId} ${reason}`, options);
    this.name = "ShellClosedError";
  }
}
