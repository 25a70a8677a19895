import { Duplex } from "node:stream";
import { mock } from "node:test";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { serveConnection } from "../exchange/serve-connection.ts";
import { createBodyBudgets } from "../exchange/state/body-budgets.ts";
import { createExchangeDependencies } from "../exchange/state/exchange-dependencies.ts";
import type { Protocol } from "../upstream/upstream-protocols.ts";
import { admitted } from "./admissions.ts";
import { decompressionIdle, watchDecompression } from "./decompression-activity.ts";

/** What one end does; `stalls` means that it reads nothing more of what the proxy writes. */
type Act =
  | { readonly does: "sends"; readonly bytes: Buffer }
  | { readonly does: "ends" | "resets" | "stalls" | "continues" };

/** One thing that happens around the proxy. */
export type Step =
  | ({ readonly at: "guest" | "upstream" } & Act)
  | { readonly at: "clock"; readonly milliseconds: number }
  /** The policy is replaced. */
  | { readonly at: "session" };

export interface Script {
  readonly steps: readonly Step[];
  /** Bound on the bytes of the sandbox's collected bodies. */
  readonly budgetBytes: number;
  /** Whether something is decompressed, which happens outside of the event loop. */
  readonly decompresses: boolean;
  /** Whether what is sent upstream is masked with random keys, so that only its writes can be compared. */
  readonly masks?: boolean;
  /** What the guest speaks; HTTP/1.1 when absent. */
  readonly guest?: Protocol;
  /** What the upstream speaks; HTTP/1.1 when absent. Of HTTP/2, too, only writes are compared: HPACK encodes the value. */
  readonly upstream?: Protocol;
}

/** What a run is made with: the policy at first, and the one that replaces it. */
export interface Policies {
  readonly first: SessionPolicy;
  readonly rotated: SessionPolicy;
}

export interface Observations {
  /** What was observed at either end, in order, each with the time on the fake clock. */
  readonly events: readonly string[];
  readonly audits: readonly string[];
  /** All that was sent to the guest. */
  readonly received: Buffer;
}

const tickMilliseconds = 1000;
const ticksMax = 40;

export const measuredBodyBytesMax = 2000;

/** Runs the script against the data path, between two ends in memory, on a fake clock. */
export async function runScript(script: Script, policies: Policies): Promise<Observations> {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const stopWatching = watchDecompression();
  try {
    return await run(script, policies);
  } finally {
    stopWatching();
    mock.timers.reset();
  }
}

async function run(script: Script, policies: Policies): Promise<Observations> {
  const events: string[] = [];
  const audits: string[] = [];
  let now = 0;
  let policy = policies.first;
  const values = [policies.first, policies.rotated].flatMap(({ secrets }) =>
    secrets.map(({ value }) => Buffer.from(value).toString("latin1")),
  );
  const endOf = (name: string) =>
    new ScriptedEnd((what, bytes) => {
      let text = bytes === undefined ? "" : bytes.toString("latin1");
      if (name !== "guest" && (script.masks === true || script.upstream === "h2")) text = "";
      // What is sent upstream has the value itself, which the guest does not see.
      if (name !== "guest") for (const value of values) text = text.replaceAll(value, "(value)");
      events.push(`${now} ${name} ${what}${text === "" ? "" : ` ${JSON.stringify(text)}`}`);
    });

  const guest = endOf("guest");
  const early: Step[] = [];
  let upstream: ScriptedEnd | undefined;
  let dials = 0;
  const exchange = createExchangeDependencies({
    isAuditTrailWritable: () => true,
    findPolicy: () => policy,
    writeAudit: (line) => audits.push(JSON.stringify(line)),
    bodyBudgets: createBodyBudgets({ bytesPerSandboxMax: script.budgetBytes }),
    clock: { wallMilliseconds: () => now, monotonicMilliseconds: () => now },
    options: {
      headTimeoutSeconds: 5,
      idleTimeoutSeconds: 5,
      silenceTimeoutSeconds: 5,
      lingerSeconds: 1,
      timeoutCheckSeconds: 1,
      measuredBodyBytesMax,
    },
    dial: async () => {
      dials += 1;
      upstream = endOf(`upstream ${dials}`);
      for (const step of early.splice(0)) happen(step);
      return Object.assign(upstream, { alpnProtocol: script.upstream ?? "http/1.1" });
    },
  });

  function happen(step: Step): void {
    if (step.at === "session") policy = policies.rotated;
    else if (step.at === "guest") guest.act(step);
    // What an upstream should do before it is dialled, it does as soon as it is.
    else if (step.at === "upstream" && upstream === undefined) early.push(step);
    else if (step.at === "upstream") upstream?.act(step);
  }

  async function untilIdle(): Promise<void> {
    for (let quiet = 0, seen = events.length; quiet < 3; quiet += 1) {
      if (script.decompresses) await decompressionIdle();
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (events.length > seen) quiet = 0;
      seen = events.length;
    }
  }

  async function pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= tickMilliseconds) {
      const step = Math.min(left, tickMilliseconds);
      now += step;
      mock.timers.tick(step);
      await untilIdle();
    }
  }

  let isServed = false;
  const serving = serveConnection(exchange, {
    socket: guest,
    scheme: "https",
    port: 443,
    sourceAddress: policy.sourceAddress,
    sandboxId: policy.sandboxId,
    serverName: "api.example.com",
    admission: admitted,
    protocol: script.guest ?? "http/1.1",
  }).then(() => {
    isServed = true;
  });
  for (const step of script.steps) {
    happen(step);
    await untilIdle();
    if (step.at === "clock") await pass(step.milliseconds);
  }
  guest.proceed();
  for (let tick = 0; tick < ticksMax && !isServed; tick += 1) await pass(tickMilliseconds);
  // A WebSocket has no time-out.
  guest.destroy();
  await untilIdle();
  if (!isServed) throw new Error(`The connection is still served:\n${events.join("\n")}`);
  await serving;
  return { events, audits, received: Buffer.concat(guest.received) };
}

/** One end of the proxy: what happens there is scripted, and what the proxy does is recorded. */
class ScriptedEnd extends Duplex {
  readonly received: Buffer[] = [];
  readonly #record: (what: string, bytes?: Buffer) => void;
  #arrivals: (Buffer | null)[] = [];
  #isAskedFor = false;
  #isStalled = false;
  #taken: (() => void) | undefined;

  constructor(record: (what: string, bytes?: Buffer) => void) {
    super({ allowHalfOpen: true, highWaterMark: 16 * 1024 });
    this.#record = record;
    this.on("error", ignore);
  }

  act(act: Act): void {
    // A copy, because frames are unmasked in place.
    if (act.does === "sends") this.#arrivals.push(Buffer.from(act.bytes));
    else if (act.does === "ends") this.#arrivals.push(null);
    else if (act.does === "resets") this.destroy(new Error("read ECONNRESET"));
    else if (act.does === "stalls") this.#isStalled = true;
    else this.proceed();
    this.#flow();
  }

  proceed(): void {
    this.#isStalled = false;
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  override _read(): void {
    this.#record("is read");
    this.#isAskedFor = true;
    this.#flow();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#take([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#take(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.#record("is ended");
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#record(`is closed${error === null ? "" : `: ${error.message}`}`);
    done(error);
  }

  #take(chunks: Buffer[], done: () => void): void {
    const bytes = Buffer.concat(chunks);
    this.received.push(bytes);
    this.#record("is sent", bytes);
    if (this.#isStalled) this.#taken = done;
    else process.nextTick(done);
  }

  #flow(): void {
    while (this.#isAskedFor && this.#arrivals.length > 0 && !this.destroyed) {
      this.#isAskedFor = false;
      const next = this.#arrivals.shift();
      this.push(next ?? null);
    }
  }
}

function ignore(): void {
  // The error has been recorded.
}
