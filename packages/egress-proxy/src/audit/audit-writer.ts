import type { AuditLine } from "@opencomputer/protocol";
import type { WriteAudit } from "../contract.ts";

export interface AuditWriter {
  write: WriteAudit;
  /** Writes what is still held back. Call it before the process ends. */
  flush(): void;
}

const heldBackCharactersMax = 64 * 1024;
/**
 * How each line begins: its mark, and the level that the log gives to what is
 * ordinary, so that the log's readers can take audit lines too.
 */
const lineStart = '{"level":30,"audit":true,';

/**
 * Writes audit lines as JSON, one a line, each marked `"audit":true` to tell
 * them from the log that shares the stream.
 *
 * No line is ever dropped: `write` is synchronous, so a reader that is slow
 * slows the whole proxy down instead of costing memory or lines. The lines of
 * one turn of the event loop go out in one write.
 */
export function createAuditWriter(deps: { write: (text: string) => void }): AuditWriter {
  let heldBack = "";
  let scheduled = false;

  const flush = (): void => {
    scheduled = false;
    if (heldBack === "") return;
    const text = heldBack;
    heldBack = "";
    deps.write(text);
  };

  return {
    write(line: AuditLine) {
      heldBack += `${lineStart}${JSON.stringify(line).slice(1)}\n`;
      if (heldBack.length >= heldBackCharactersMax) {
        flush();
      } else if (!scheduled) {
        scheduled = true;
        setImmediate(flush);
      }
    },
    flush,
  };
}
