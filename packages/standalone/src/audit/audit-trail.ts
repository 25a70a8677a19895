import { chmod, mkdir } from "node:fs/promises";
import type { Duplex, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { parseJson } from "@opencomputer/protocol/api";
import {
  type AuditLine,
  type AuditTrailState,
  auditLineSchema,
  serviceLimits,
} from "@opencomputer/protocol/wire";
import { createLineSplitter } from "../process/line-splitter.ts";
import { appendAuditLines, auditNameOf } from "./audit-files.ts";
import { collectAuditFiles } from "./collect-audit-files.ts";
import { createProblemReport, type ProblemReport } from "./problem-report.ts";

const collectMilliseconds = 5 * 60 * 1000;
const unreadable = "unreadable";

interface Pending {
  text: string;
  bytes: number;
}

export interface AuditTrailOptions {
  readonly directory: string;
  /** Called with a message about lines that cannot be written or were lost. */
  readonly report: (message: string) => void;
  readonly now?: () => number;
  readonly fileBytesMax?: number;
  readonly retryMilliseconds?: number;
  /** A write that takes longer counts as failed until it has ended. */
  readonly stallMilliseconds?: number;
  readonly reportMilliseconds?: number;
}

/**
 * The audit trail on disk: two bounded files for each sandbox, and two for
 * lines without a sandbox. Sandboxes share neither files nor the memory for
 * lines that are not written yet, so none displaces another's lines.
 *
 * The stream is always read: a slow disk must not pause the egress of every
 * sandbox. Lines wait in memory, up to a bound for each sandbox; lines beyond
 * it are counted and reported. While a write fails or stalls, this is reported
 * to the other end of the stream, which then sends no request that could not
 * be audited.
 */
export class AuditTrail {
  readonly #options: AuditTrailOptions;
  readonly #problems: ProblemReport;
  readonly #pending = new Map<string, Pending>();
  /** Names whose last write failed. */
  readonly #failing = new Set<string>();
  readonly #streams = new Set<Writable>();
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

  /** Reads the lines of a stream until it ends, and writes back whether lines can be written. */
  read(stream: Duplex): void {
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    if (this.#failing.size > 0) writeState(stream, { isWritable: false });
    const splitter = createLineSplitter({
      lineBytesMax: serviceLimits.auditLineBytesMax,
      onLine: (line) => this.write(line),
      onBrokenLine: () => this.#problems.lost(unreadable),
    });
    stream.on("data", (chunk: Buffer) => splitter.push(chunk));
    stream.on("end", () => splitter.end());
    stream.on("error", (error) => this.#problems.failed(error));
  }

  /** Accepts one line, which is written soon. */
  write(line: string): void {
    const parsed = auditLineSchema.safeParse(parseJson(line)).data;
    if (parsed === undefined) {
      this.#problems.lost(unreadable);
      return;
    }
    const name = auditNameOf(parsed.sandboxId);
    const pending = this.#pending.get(name) ?? { text: "", bytes: 0 };
    const bytes = Buffer.byteLength(line) + 1;
    if (pending.bytes + bytes > pendingBytesMax(parsed)) {
      this.#problems.lost(name);
      if (parsed.decision === "allowed") this.#noteWrite(name, false);
      return;
    }
    pending.text += `${line}\n`;
    pending.bytes += bytes;
    this.#pending.set(name, pending);
    this.#work();
  }

  /** Writes the lines that wait, and reports those that cannot be written as lost. */
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

  /** Does one thing at a time: no file is deleted while a line is written to it. */
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
      secondsMax: serviceLimits.auditSecondsMax,
      bytesTotalMax: serviceLimits.auditBytesTotalMax,
    });
  }

  async #append(name: string, batch: Pending): Promise<void> {
    const { directory, fileBytesMax = serviceLimits.auditFileBytesMax } = this.#options;
    this.#pending.delete(name);
    const stallMilliseconds = this.#options.stallMilliseconds ?? 5000;
    const stalled = setTimeout(() => {
      this.#problems.failed(new Error(`A write has taken ${stallMilliseconds / 1000} s so far`));
      this.#noteWrite(name, false);
    }, stallMilliseconds).unref();
    try {
      await appendAuditLines(directory, name, batch.text, fileBytesMax);
      this.#noteWrite(name, true);
    } catch (error) {
      this.#noteWrite(name, false);
      const later = this.#pending.get(name);
      this.#pending.delete(name);
      this.#pending.set(name, {
        text: batch.text + (later?.text ?? ""),
        bytes: batch.bytes + (later?.bytes ?? 0),
      });
      throw error;
    } finally {
      clearTimeout(stalled);
    }
  }

  #noteWrite(name: string, succeeded: boolean): void {
    const wasWritable = this.#failing.size === 0;
    if (succeeded) this.#failing.delete(name);
    else this.#failing.add(name);
    const isWritable = this.#failing.size === 0;
    if (isWritable === wasWritable) return;
    for (const stream of this.#streams) writeState(stream, { isWritable });
  }
}

function pendingBytesMax({ decision }: AuditLine): number {
  return decision === "refused"
    ? serviceLimits.auditPendingRefusalsBytesMax
    : serviceLimits.auditPendingBytesMax;
}

function writeState(stream: Writable, state: AuditTrailState): void {
  stream.write(`${JSON.stringify(state)}\n`);
}
