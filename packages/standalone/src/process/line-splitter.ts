const lineFeed = 0x0a;

export interface LineSplitter {
  push(chunk: Buffer): void;
  /** Ends the stream. A part of a line that is left is reported as broken. */
  end(): void;
}

/**
 * Splits a stream into lines in bounded memory. A line that is too long, or that
 * the end of the stream cuts off, is reported instead of passed on.
 */
export function createLineSplitter(deps: {
  lineBytesMax: number;
  onLine: (line: string) => void;
  onBrokenLine: () => void;
}): LineSplitter {
  let parts: Buffer[] = [];
  let bytes = 0;
  let isTooLong = false;

  const keep = (part: Buffer): void => {
    bytes += part.length;
    if (bytes <= deps.lineBytesMax) {
      parts.push(part);
    } else {
      isTooLong = true;
      parts = [];
    }
  };
  const finish = (isWhole: boolean): void => {
    if (isTooLong || !isWhole) deps.onBrokenLine();
    else if (bytes > 0) deps.onLine(Buffer.concat(parts).toString());
    parts = [];
    bytes = 0;
    isTooLong = false;
  };

  return {
    push(chunk) {
      let start = 0;
      for (;;) {
        const end = chunk.indexOf(lineFeed, start);
        if (end === -1) break;
        keep(chunk.subarray(start, end));
        finish(true);
        start = end + 1;
      }
      if (start < chunk.length) keep(chunk.subarray(start));
    },
    end() {
      if (bytes > 0) finish(false);
    },
  };
}
