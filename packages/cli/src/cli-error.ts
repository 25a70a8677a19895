/** Something that went wrong on this machine, before or without the service. Exit code 1. */
export class CliError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "CliError";
    this.code = code;
  }
}
