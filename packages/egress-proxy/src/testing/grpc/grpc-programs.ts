import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** The interpreter that the set-up has installed gRPC for. */
const python = [pathOf("../../../../../.cache/python/grpc/bin/python"), "-B"];

/** Clients of two implementations, which have the same arguments, input and output. */
const clients = {
  grpcio: [...python, pathOf("python_client.py")],
  "grpc-go": [pathOf("../../../../../.cache/grpc-go/client")],
} as const;
export const grpcClientNames = ["grpcio", "grpc-go"] as const;
export type GrpcClientName = keyof typeof clients;

/** Statuses of gRPC by their names. */
export const grpcCodes = {
  ok: 0,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  unavailable: 14,
} as const;

const metadataSchema = z.record(z.string(), z.string());

const callResultSchema = z.object({
  messages: z.array(z.string()),
  code: z.int(),
  details: z.string(),
  begins: metadataSchema,
  ends: metadataSchema,
});
export type GrpcCallResult = z.infer<typeof callResultSchema>;

const serverLineSchema = z.union([
  z.object({ port: z.int() }),
  z.object({ method: z.string(), metadata: metadataSchema }),
  z.object({ cancelled: z.literal(true) }),
]);
type ServerLine = z.infer<typeof serverLineSchema>;

export interface GrpcCall {
  readonly kind: "unary_unary" | "unary_stream" | "stream_unary" | "stream_stream";
  readonly method: string;
  /** Messages of a `stream_stream` are sent one by one, each after the response to the one before it. */
  readonly messages: readonly string[];
  readonly metadata?: readonly (readonly [string, string])[];
  readonly timeoutSeconds?: number;
}

/** A client, which makes one call after the other on one channel. */
export interface GrpcClient {
  call(call: GrpcCall): Promise<GrpcCallResult>;
  end(): Promise<void>;
}

/** A server of grpcio. `server.py` has its methods. */
export interface GrpcServer {
  readonly port: number;
  /** Metadata of the last call. */
  lastMetadata(): Readonly<Record<string, string>>;
  /** Takes the first line that satisfies the condition, once it is written. */
  takeLine(condition: (line: ServerLine) => boolean): Promise<ServerLine>;
  end(): Promise<void>;
}

export function startGrpcClient(options: {
  readonly name: GrpcClientName;
  readonly address: string;
  readonly host: string;
  readonly authorityFile: string;
}): GrpcClient {
  const { name, address, host, authorityFile } = options;
  const child = start([...clients[name], address, host, authorityFile]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async call({ kind, method, messages, metadata = [], timeoutSeconds: timeout = 60 }) {
      child.stdin.write(`${JSON.stringify({ kind, method, messages, metadata, timeout })}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error("The gRPC client ended: its output has the reason");
      return callResultSchema.parse(JSON.parse(value));
    },
    end: () => endOf(child),
  };
}

export async function startGrpcServer(options: {
  readonly certificateFile: string;
  readonly keyFile: string;
}): Promise<GrpcServer> {
  const { certificateFile, keyFile } = options;
  const child = start([...python, pathOf("server.py"), certificateFile, keyFile]);
  const lines: ServerLine[] = [];
  const input = createInterface({ input: child.stdout });
  input.on("line", (line) => lines.push(serverLineSchema.parse(JSON.parse(line))));
  const takeLine: GrpcServer["takeLine"] = async (condition) => {
    for (;;) {
      const at = lines.findIndex(condition);
      const [found] = at === -1 ? [] : lines.splice(at, 1);
      if (found !== undefined) return found;
      const [arrived] = await Promise.race([once(input, "line"), once(input, "close")]);
      if (arrived === undefined)
        throw new Error("The gRPC server ended: its output has the reason");
    }
  };
  const first = await takeLine((each) => "port" in each);
  return {
    port: "port" in first ? first.port : Number.NaN,
    lastMetadata() {
      const last = lines.findLast((each) => "metadata" in each);
      if (last === undefined || !("metadata" in last)) throw new Error("The server had no call");
      return last.metadata;
    },
    takeLine,
    end: () => endOf(child),
  };
}

type Program = ChildProcessByStdio<Writable, Readable, null>;

function start([program = "", ...words]: readonly string[]): Program {
  return spawn(program, words, {
    // No proxy of the surroundings.
    env: { PATH: process.env["PATH"] },
    stdio: ["pipe", "pipe", "inherit"],
  });
}

async function endOf(child: Program): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "close");
}
