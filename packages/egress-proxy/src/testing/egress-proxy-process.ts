import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { type AuditLine, auditLineSchema, programFiles } from "@opencomputer/protocol/wire";

const mainFile = fileURLToPath(
  new URL(`../../../../${programFiles["egress-proxy"].compiled}`, import.meta.url),
);

/** Where the process finds the stream for audit lines. */
const auditDescriptor = 3;

export interface ControlResponse {
  readonly status: number;
  readonly body: string;
}

/** The real proxy as a separate process. */
export interface EgressProxyProcess {
  readonly child: ChildProcess;
  /** Everything that it printed, its audit lines too. */
  output(): string;
  auditLines(): AuditLine[];
  /** Writes to the stream of audit lines, as their reader does. */
  writeAuditState(text: string): void;
  /** Resolves to the audit line that fulfils the condition, once it is written. */
  auditLine(condition: (line: AuditLine) => boolean): Promise<AuditLine>;
  control(method: string, path: string, body?: unknown): Promise<ControlResponse>;
  residentBytes(): number;
  /** Sends the signal and returns how the process ended. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts the proxy and waits until it serves. Rejects with its output when it ends instead. */
export async function startEgressProxyProcess(
  environment: Record<string, string> & { OPENCOMPUTER_EGRESS_PROXY_SOCKET: string },
): Promise<EgressProxyProcess> {
  const child = spawn(process.execPath, ["--enable-source-maps", mainFile], {
    env: {
      PATH: process.env["PATH"],
      OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: String(auditDescriptor),
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe", "pipe", "ipc"],
  });
  const lines: string[] = [];
  const audited: AuditLine[] = [];
  const auditStream = child.stdio[auditDescriptor];
  if (!(auditStream instanceof Duplex)) throw new TypeError("The process has no audit stream");
  createInterface({ input: auditStream }).on("line", (line) => {
    lines.push(line);
    audited.push(auditLineSchema.parse(JSON.parse(line)));
  });
  const ended = once(child, "close");
  const serving = new Promise<void>((resolve) => {
    for (const input of [child.stdout, child.stderr]) {
      if (input === null) continue;
      createInterface({ input }).on("line", (line) => {
        lines.push(line);
        if (line.includes('"msg":"the egress proxy serves guests"')) resolve();
      });
    }
  });
  const endedEarly = ended.then(() => {
    throw new Error(`The egress proxy ended:\n${lines.join("\n")}`);
  });
  await Promise.race([serving, endedEarly]);

  return {
    child,
    output: () => lines.join("\n"),
    auditLines: () => [...audited],
    writeAuditState: (text) => void auditStream.write(text),
    async auditLine(condition) {
      for (let attempt = 0; attempt < 200; attempt += 1) {
        const found = audited.findLast(condition);
        if (found !== undefined) return found;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error(`No such audit line:\n${lines.join("\n")}`);
    },
    control: (method, path, body) =>
      sendControl(environment.OPENCOMPUTER_EGRESS_PROXY_SOCKET, method, path, body),
    residentBytes() {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    },
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await ended;
      }
      return { code: child.exitCode, signal: child.signalCode };
    },
  };
}

function sendControl(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
): Promise<ControlResponse> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const call = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    call.on("error", reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
