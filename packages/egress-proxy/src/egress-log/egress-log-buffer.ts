import { type AuditLine, type ReadEgressLog, serviceLimits } from "@opencomputer/protocol/wire";
import type { KeepLine } from "../audit/audit-writer.ts";
import { LeftOutLines } from "../audit/left-out-lines.ts";
import { logLineJson } from "./log-line.ts";

/** The bounds on the lines that wait for the control plane. */
export interface EgressLogLimits {
  readonly linesPerSandboxMax: number;
  readonly bytesPerSandboxMax: number;
  readonly bytesTotalMax: number;
  /** What the lines of one sandbox may take when those of all take `bytesTotalMax`. */
  readonly shareBytes: number;
  readonly linesPerReadMax: number;
  readonly bytesPerReadMax: number;
}

export const egressLogLimits: EgressLogLimits = {
  linesPerSandboxMax: serviceLimits.egressLogLinesPerSandboxMax,
  bytesPerSandboxMax: serviceLimits.egressLogBytesPerSandboxMax,
  bytesTotalMax: serviceLimits.egressLogBytesTotalMax,
  shareBytes: serviceLimits.egressLogShareBytes,
  linesPerReadMax: serviceLimits.egressLogLinesPerReadMax,
  bytesPerReadMax: serviceLimits.egressLogBytesPerReadMax,
};

interface Line {
  readonly sandboxId: string;
  readonly json: string;
  readonly bytes: number;
}

/** The sum of lines of one kind and decision that were left out, which grows until it is read. */
interface Sum {
  readonly sandboxId: string;
  readonly group: string;
  readonly leftOut: LeftOutLines;
}

interface Sandbox {
  lines: number;
  bytes: number;
  /** Sums that were not read yet, by kind and decision. */
  readonly leftOut: Map<string, LeftOutLines>;
}

/**
 * Keeps the lines of the egress log until the control plane has stored them.
 *
 * Each sandbox has its own bound: what is beyond it is summed up, and neither its own
 * earlier lines nor those of another sandbox make room. A line keeps its sequence and its
 * content from its first read until it is acknowledged, so that it can be stored once
 * however often it is read.
 */
export class EgressLogBuffer {
  readonly instanceId: string;
  readonly #limits: EgressLogLimits;
  /** Entries by their sequence, in its order. */
  readonly #entries = new Map<number, Line | Sum>();
  readonly #sandboxes = new Map<string, Sandbox>();
  #bytes = 0;
  #lastSequence = 0;
  readonly #counts = { kept: 0, leftOut: 0 };
  readonly #waiting = new Set<() => void>();
  readonly #draining = new Set<() => void>();

  constructor({ instanceId, limits = egressLogLimits }: BufferOptions) {
    this.instanceId = instanceId;
    this.#limits = limits;
  }

  /** Lines, and sums of lines, that are not acknowledged. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many lines were kept one by one, and how many were only summed up, since the start. */
  get counts(): { readonly kept: number; readonly leftOut: number } {
    return this.#counts;
  }

  /** Keeps a line of a sandbox. A line of an address without a sandbox belongs to no log. */
  readonly keep: KeepLine = (line, detail, leftOut) => {
    const { sandboxId } = line;
    if (sandboxId === null) return;
    let sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined) {
      sandbox = { lines: 0, bytes: 0, leftOut: new Map() };
      this.#sandboxes.set(sandboxId, sandbox);
    }
    if (this.#fits(sandbox, 0)) {
      const json = logLineJson(sandboxId, line, detail, leftOut);
      const bytes = Buffer.byteLength(json);
      if (this.#fits(sandbox, bytes)) {
        this.#charge(sandbox, bytes);
        this.#append({ sandboxId, json, bytes });
        this.#count(leftOut);
        return;
      }
    }
    this.#leaveOut(sandboxId, sandbox, line, Math.max(1, leftOut));
  };

  /**
   * Forgets the lines up to `acknowledged`, and resolves to the oldest ones as the JSON of a batch:
   * when there are any, or after the wait.
   */
  async read({ acknowledged, waitSeconds }: ReadEgressLog): Promise<string> {
    if (acknowledged?.instanceId === this.instanceId) this.#forget(acknowledged.sequence);
    if (this.#entries.size === 0 && waitSeconds > 0) await this.#untilLine(waitSeconds * 1000);
    const lines = this.#oldestLines();
    return `{"instanceId":${JSON.stringify(this.instanceId)},"lines":[${lines.join(",")}]}`;
  }

  /** Resolves when all lines are acknowledged, at the latest after the time. */
  async drain(timeoutMilliseconds: number): Promise<void> {
    if (this.#entries.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMilliseconds);
      this.#draining.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** @param leftOut How many lines a line stands for; 0 for one that was kept itself. */
  #count(leftOut: number): void {
    if (leftOut === 0) this.#counts.kept += 1;
    else this.#counts.leftOut += leftOut;
  }

  #fits(sandbox: Sandbox, bytes: number): boolean {
    const { linesPerSandboxMax, bytesPerSandboxMax, bytesTotalMax, shareBytes } = this.#limits;
    const bytesMax = this.#bytes + bytes <= bytesTotalMax ? bytesPerSandboxMax : shareBytes;
    return sandbox.lines < linesPerSandboxMax && sandbox.bytes + bytes <= bytesMax;
  }

  #charge(sandbox: Sandbox, bytes: number): void {
    sandbox.lines += 1;
    sandbox.bytes += bytes;
    this.#bytes += bytes;
  }

  #leaveOut(sandboxId: string, sandbox: Sandbox, line: AuditLine, count: number): void {
    const group = `${line.kind} ${line.decision}`;
    let leftOut = sandbox.leftOut.get(group);
    if (leftOut === undefined) {
      leftOut = new LeftOutLines(line, describeLeftOut);
      sandbox.leftOut.set(group, leftOut);
      this.#append({ sandboxId, group, leftOut });
    }
    leftOut.add(line, count);
    this.#count(count);
  }

  #append(entry: Line | Sum): void {
    this.#lastSequence += 1;
    this.#entries.set(this.#lastSequence, entry);
    for (const wake of this.#waiting) wake();
  }

  #oldestLines(): string[] {
    const lines: string[] = [];
    let bytes = 0;
    for (const [sequence, entry] of this.#entries) {
      const line = "json" in entry ? entry : this.#freeze(sequence, entry);
      bytes += line.bytes;
      if (lines.length > 0 && bytes > this.#limits.bytesPerReadMax) break;
      lines.push(`{"sequence":${sequence},${line.json.slice(1)}`);
      if (lines.length >= this.#limits.linesPerReadMax) break;
    }
    return lines;
  }

  /** Ends the growth of a sum: what is left out from now on is part of a later one. */
  #freeze(sequence: number, { sandboxId, group, leftOut }: Sum): Line {
    const json = logLineJson(sandboxId, leftOut.sum(), {}, leftOut.count);
    const line = { sandboxId, json, bytes: Buffer.byteLength(json) };
    this.#entries.set(sequence, line);
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox !== undefined) {
      sandbox.leftOut.delete(group);
      this.#charge(sandbox, line.bytes);
    }
    return line;
  }

  #forget(upTo: number): void {
    for (const [sequence, entry] of this.#entries) {
      if (sequence > upTo) break;
      // What was never read cannot be acknowledged.
      if (!("json" in entry)) continue;
      this.#entries.delete(sequence);
      this.#bytes -= entry.bytes;
      const sandbox = this.#sandboxes.get(entry.sandboxId);
      if (sandbox === undefined) continue;
      sandbox.lines -= 1;
      sandbox.bytes -= entry.bytes;
      if (sandbox.lines === 0 && sandbox.leftOut.size === 0) {
        this.#sandboxes.delete(entry.sandboxId);
      }
    }
    if (this.#entries.size > 0) return;
    for (const resolve of this.#draining) resolve();
    this.#draining.clear();
  }

  async #untilLine(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, milliseconds).unref();
      this.#waiting.add(wake);
    });
  }
}

interface BufferOptions {
  /** Names this process of the proxy. */
  readonly instanceId: string;
  readonly limits?: EgressLogLimits;
}

function describeLeftOut(count: number): string {
  return `${count} exchanges were left out of the egress log, which was full`;
}
