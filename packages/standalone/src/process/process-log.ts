import { Writable } from "node:stream";
import { parseJson } from "@opencomputer/protocol/api";
import { createStream, type RotatingFileStream } from "rotating-file-stream";
import { z } from "zod";

const filesKept = 5;
const fileSizeMax = "20M";
const errorLevel = 50;

const logLineSchema = z.object({
  /** Absent in lines that are not log entries. */
  level: z.number().default(0),
  msg: z.string().optional(),
  err: z.object({ message: z.string() }).optional(),
});

/** What a person should see of a line of a process's log; null for routine ones. */
export function noteworthy(line: string): string | null {
  if (line.trim() === "") return null;
  const parsed = parseLogLine(line);
  if (parsed === undefined) return line;
  if (parsed.level < errorLevel) return null;
  return [parsed.msg, parsed.err?.message].filter((part) => part !== undefined).join(": ");
}

/**
 * Opens the log file of one process: at most 5 files of 20 MB. When it cannot
 * be written, on a full disk for instance, that is reported to `onNote`, and the
 * output of the process is dropped and counted: a process never waits for its
 * log, and the supervisor never fails because of it.
 */
export function openProcessLog({
  directory,
  name,
  onNote,
  reopenMilliseconds = 5_000,
}: {
  directory: string;
  name: string;
  onNote: (text: string) => void;
  reopenMilliseconds?: number;
}): Writable {
  let file: RotatingFileStream | undefined;
  let droppedBytes = 0;
  let reopenTimer: NodeJS.Timeout | undefined;

  const open = () => {
    const opened = createStream(`${name}.log`, {
      path: directory,
      size: fileSizeMax,
      maxFiles: filesKept,
      mode: 0o600,
    });
    opened.once("error", (error) => {
      file = undefined;
      onNote(`${name}.log cannot be written: ${error.message}. Check ${directory}.`);
      reopenTimer = setTimeout(open, reopenMilliseconds).unref();
    });
    if (droppedBytes > 0) {
      onNote(`${name}.log: ${droppedBytes} bytes were not written`);
      droppedBytes = 0;
      // The failed write may have left a part of a line.
      opened.write("\n");
    }
    file = opened;
  };
  open();

  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const drop = () => {
        droppedBytes += chunk.length;
        done();
      };
      if (file === undefined) drop();
      else file.write(chunk, (error) => (error ? drop() : done()));
    },
    final(done) {
      clearTimeout(reopenTimer);
      if (file === undefined) done();
      else file.end(done);
    },
  });
}

function parseLogLine(line: string) {
  if (!line.startsWith("{")) return undefined;
  return logLineSchema.safeParse(parseJson(line)).data;
}
