import { createStream, type RotatingFileStream } from "rotating-file-stream";
import { z } from "zod";

const filesKept = 5;
const fileSizeMax = "20M";
const errorLevel = 50;

const logLineSchema = z.object({
  /** Absent in lines that are no log entries, such as the audit's. */
  level: z.number().default(0),
  msg: z.string().optional(),
  err: z.object({ message: z.string() }).optional(),
});

/** What a person should see of a line of a process's log; null for the everyday ones. */
export function noteworthy(line: string): string | null {
  if (line.trim() === "") return null;
  const parsed = parseLogLine(line);
  if (parsed === undefined) return line;
  if (parsed.level < errorLevel) return null;
  return [parsed.msg, parsed.err?.message].filter((part) => part !== undefined).join(": ");
}

/** The log file of one process: at most 5 files of 20 MB. */
export function openProcessLog(directory: string, name: string): RotatingFileStream {
  return createStream(`${name}.log`, {
    path: directory,
    size: fileSizeMax,
    maxFiles: filesKept,
    mode: 0o600,
  });
}

function parseLogLine(line: string) {
  if (!line.startsWith("{")) return undefined;
  try {
    return logLineSchema.safeParse(JSON.parse(line)).data;
  } catch (error) {
    // A line of text that happens to begin with a brace.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
