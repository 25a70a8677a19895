/** What is logged of an error. */
export interface LoggedError {
  type: string;
  message: string;
  stack: string | undefined;
  code?: unknown;
  cause?: LoggedError | undefined;
}

/** Depth at which a chain of causes is cut. */
const causesMax = 5;
const textCharactersMax = 8 * 1024;

/**
 * Describes only what is known to be harmless of an error, each text up to 8 KiB: no further
 * properties, where libraries keep requests, parameters, and what an untrusted peer sent.
 *
 * @param replaceText A text in place of the message and the stack of errors that quote values.
 */
export function describeError(
  error: unknown,
  replaceText: (error: Error) => string | undefined = () => undefined,
  depth = 0,
): LoggedError | undefined {
  if (!(error instanceof Error) || depth > causesMax) return undefined;
  const replacement = replaceText(error);
  return {
    type: error.name,
    message: cut(replacement ?? error.message),
    stack: replacement === undefined ? cut(error.stack ?? "") : undefined,
    ...("code" in error ? { code: error.code } : {}),
    cause: describeError(error.cause, replaceText, depth + 1),
  };
}

function cut(text: string): string {
  return text.length <= textCharactersMax ? text : `${text.slice(0, textCharactersMax)}…`;
}
