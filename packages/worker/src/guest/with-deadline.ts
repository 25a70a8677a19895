/**
 * Runs work with a signal that is aborted when the time is over, or when one of
 * the other signals is. The timer holds its signal: one of
 * `AbortSignal.timeout` that only `AbortSignal.any` knows may be collected as
 * garbage before it fires, and the work would then never end.
 */
export async function withDeadline<Result>(
  milliseconds: number,
  others: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new DOMException("The operation took too long", "TimeoutError")),
    milliseconds,
  );
  try {
    return await work(AbortSignal.any([deadline.signal, ...others]));
  } finally {
    clearTimeout(timer);
  }
}
