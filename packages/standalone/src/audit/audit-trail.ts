import { chmod, mkdir } from "node:fs/promises";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { auditLineSchema, limits } from "@opencomputer/protocol";
import { appendAuditLines, auditNameOf } from "./audit-files.ts";
import { collectAuditFiles } from "./collect-audit-files.ts";
import { createLineSplitter } from "./line-splitter.ts";
import { createProblemReport, type ProblemReport } from "./problem-report.ts";

/** What waits for the disk of one sandbox. */
const pendingBytesMax = 256 * 1024;
const collectMilliseconds = 5 * 60 * 1000;
const unreadable = "unreadable";

interface Pending {
  text: string;
  bytes: number;
}

export interface AuditTrailOptions {
  readonly directory: string;
  /** Hears of lines that cannot be written or were lost. */
  readonly report: (message: string) => void;
  readonly now?: () => number;
  readonly fileBytesMax?: number;
  readonly retryMilliseconds?: number;
  readonly reportMilliseconds?: number;
}

/**
 * The audit trail on disk: two bounded files for each sandbox, and two for
 * lines without one. Nothing is shared between sandboxes, neither files nor
 * what waits for the disk, so none pushes another's lines out.
 *
 * The stream is always read: a disk that is slow or full must not pause the
 * egress of every sandbox. Lines wait in memory up to a bound for each
 * sandbox; those beyond it are counted and reported, and egress continues.
 */
export class AuditTrail {
  readonly #options: AuditTrailOptions;
  readonly #problems: ProblemReport;
  readonly #pending = new Map<string, Pending>();
  readonly #collecting: NodeJS.Timeout;
  #collectionIsDue = true;
  #working: Promise<void> | undefined;
  #closing = false;

  private constructor(options: AuditTrailOptions) {
    this.#options = options;
    this.#problems = createProblemReport({
      directory: options.directory,
      report: options.report,
      intervalMilliseconds: options.reportMilliseconds ?? 10_000,
    });
    this.#collecting = setInterval(() => {
      this.#collectionIsDue = true;
      this.#work();
    }, collectMilliseconds).unref();
  }

  static async open(options: AuditTrailOptions): Promise<AuditTrail> {
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    await chmod(options.directory, 0o700);
    const trail = new AuditTrail(options);
    trail.#work();
    return trail;
  }

  /** Takes the lines of a stream until it ends. */
  read(stream: Readable): void {
    const splitter = createLineSplitter({
      lineBytesMax: limits.auditLineBytesMax,
      onLine: (line) => this.write(line),
      onBrokenLine: () => this.#problems.lost(unreadable),
    });
    stream.on("data", (chunk: Buffer) => splitter.push(chunk));
    stream.on("end", () => splitter.end());
    stream.on("error", (error) => this.#problems.failed(error));
  }

  /** Takes one line, to be written soon. */
  write(line: string): void {
    const parsed = parseAuditLine(line);
    if (parsed === undefined) {
      this.#problems.lost(unreadable);
      return;
    }
    const name = auditNameOf(parsed.sandboxId);
    const pending = this.#pending.get(name) ?? { text: "", bytes: 0 };
    const bytes = Buffer.byteLength(line) + 1;
    if (pending.bytes + bytes > pendingBytesMax) {
      this.#problems.lost(name);
      return;
    }
    pending.text += `${line}\n`;
    pending.bytes += bytes;
    this.#pending.set(name, pending);
    this.#work();
  }

  /** Writes what waits; what the disk does not take now is reported as lost. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#collecting);
    await this.#working;
    for (const [name, { text }] of this.#pending) {
      for (let lines = text.split("\n").length - 1; lines > 0; lines -= 1) {
        this.#problems.lost(name);
      }
    }
    this.#problems.flush();
  }

  #work(): void {
    this.#working ??= this.#drain().finally(() => {
      this.#working = undefined;
      if (this.#pending.size > 0 && !this.#closing) this.#work();
    });
  }

  /** One thing at a time: no file is deleted while a line is on its way into it. */
  async #drain(): Promise<void> {
    for (;;) {
      try {
        if (this.#collectionIsDue) await this.#collect();
        const [next] = this.#pending;
        if (next === undefined) return;
        await this.#append(...next);
      } catch (error) {
        this.#problems.failed(error);
        if (this.#closing) return;
        await delay(this.#options.retryMilliseconds ?? 1000);
      }
    }
  }

  async #collect(): Promise<void> {
    this.#collectionIsDue = false;
    await collectAuditFiles(this.#options.directory, {
      nowMilliseconds: (this.#options.now ?? Date.now)(),
      secondsMax: limits.auditSecondsMax,
      bytesTotalMax: limits.auditBytesTotalMax,
    });
  }

  async #append(name: string, batch: Pending): Promise<void> {
    const { directory, fileBytesMax = limits.auditFileBytesMax } = this.#options;
    this.#pending.delete(name);
    try {
      await appendAuditLines(directory, name, batch.text, fileBytesMax);
    } catch (error) {
      const later = this.#pending.get(name);
      this.#pending.delete(name);
      this.#pending.set(name, {
        text: batch.text + (later?.text ?? ""),
        bytes: batch.bytes + (later?.bytes ?? 0),
      });
      throw error;
    }
  }
}

function parseAuditLine(line: string) {
  try {
    return auditLineSchema.safeParse(JSON.parse(line)).data;
  } catch (error) {
    // No JSON: the same as a line of another shape.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
