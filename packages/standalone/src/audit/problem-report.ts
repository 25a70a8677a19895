const sandboxesNamedMax = 5;

export interface ProblemReport {
  /** A write failed; the lines wait for the next attempt. */
  failed(error: unknown): void;
  /** A line is lost. The name is that of its file. */
  lost(name: string): void;
  /** Reports what has not been reported yet. */
  flush(): void;
}

/**
 * Reports problems of the audit trail: the first at once, further ones as
 * totals at an interval, so that a full disk is noticed without flooding the log.
 */
export function createProblemReport(deps: {
  directory: string;
  report: (message: string) => void;
  intervalMilliseconds: number;
}): ProblemReport {
  let failure: string | undefined;
  const lostLines = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const message = describe(deps.directory, failure, lostLines);
    failure = undefined;
    lostLines.clear();
    if (message === undefined) return;
    deps.report(message);
    timer = setTimeout(flush, deps.intervalMilliseconds).unref();
  };
  const reportSoon = (): void => {
    if (timer === undefined) flush();
  };

  return {
    failed(error) {
      failure = error instanceof Error ? error.message : String(error);
      reportSoon();
    },
    lost(name) {
      lostLines.set(name, (lostLines.get(name) ?? 0) + 1);
      reportSoon();
    },
    flush,
  };
}

function describe(
  directory: string,
  failure: string | undefined,
  lostLines: ReadonlyMap<string, number>,
): string | undefined {
  const cause = failure === undefined ? "" : ` ${failure}.`;
  if (lostLines.size > 0) {
    const named = [...lostLines].slice(0, sandboxesNamedMax);
    const more = lostLines.size - named.length;
    const counts = named.map(([name, lines]) => `${name}: ${lines}`).join(", ");
    return `Audit lines were lost (${counts}${more > 0 ? `, and of ${more} more` : ""}).${cause} Check that ${directory} can be written to and has free space.`;
  }
  if (failure === undefined) return undefined;
  return `Audit lines cannot be written to ${directory}:${cause} Until they can, new requests of every sandbox are refused, and lines of open ones are held in memory. Check that it can be written to and has free space.`;
}
