import { serviceLimits } from "@opencomputer/protocol/wire";

/** What one sandbox has begun in the present turn, and what waits for a later one. */
interface Sandbox {
  done: number;
  readonly waiting: { readonly work: number; readonly begin: () => void }[];
}

const forgetMilliseconds = 1_000;

/**
 * How much work takes, in units of about a tenth of a millisecond. One that takes longer than a
 * turn is paid for by later turns.
 */
export const workUnits = {
  exchange: 1,
  dnsMessage: 1,
  /** A TLS handshake that is not abbreviated. */
  handshake: 8,
  /** A certificate for a host that has none yet. */
  certificate: 24,
} as const;

/** What a message costs besides its bytes: much more than these where it is short. */
const webSocketMessageUnits = 0.04;
const grpcMessageUnits = 0.02;
const bytesPerUnit = 16 * 1024;
const arrivalUnits = 0.1;

/** The work of what arrives, or is decoded, at a time. */
export function workOfBytes(bytes: number): number {
  return arrivalUnits + bytes / bytesPerUnit;
}

/** The work of so many messages of a WebSocket, or of gRPC, besides that of their bytes. */
export function workOfMessages(kind: "websocket" | "grpc", count: number): number {
  return count * (kind === "websocket" ? webSocketMessageUnits : grpcMessageUnits);
}

/**
 * Shares the turns of the event loop, in which all sandboxes are served, among them: a sandbox
 * begins so much work in a turn, and what is beyond waits for a later one, in its order. So
 * however much one sandbox has to be done at once, the others are served in between.
 *
 * The amount of work follows from what is public, such as lengths, and never from a value.
 */
export class FairTurns {
  readonly #workPerTurnMax: number;
  readonly #sandboxes = new Map<string, Sandbox>();
  #isTurnEndAwaited = false;
  #forgetting: NodeJS.Timeout | undefined;

  constructor(
    options: { workPerTurnMax: number } = { workPerTurnMax: serviceLimits.workPerTurnMax },
  ) {
    this.#workPerTurnMax = options.workPerTurnMax;
  }

  /** How many sandboxes it keeps an account of. */
  get size(): number {
    return this.#sandboxes.size;
  }

  /** Counts work of a sandbox. Returns a promise where it has to wait for a later turn. */
  take(sandboxId: string, work: number): Promise<void> | undefined {
    const sandbox = this.#of(sandboxId);
    const { waiting } = sandbox;
    if (waiting.length === 0 && sandbox.done < this.#workPerTurnMax) {
      sandbox.done += work;
      return undefined;
    }
    this.#awaitTurnEnd();
    return new Promise((begin) => waiting.push({ work, begin }));
  }

  /** Counts work that cannot wait: what the sandbox takes next waits for it. */
  charge(sandboxId: string, work: number): void {
    this.#of(sandboxId).done += work;
  }

  #of(sandboxId: string): Sandbox {
    const known = this.#sandboxes.get(sandboxId);
    if (known !== undefined) return known;
    const sandbox: Sandbox = { done: 0, waiting: [] };
    this.#sandboxes.set(sandboxId, sandbox);
    this.#forgetting ??= setTimeout(this.#forgetIdle, forgetMilliseconds).unref();
    return sandbox;
  }

  /** Turns are counted while something waits; whatever was done before that is of the present one. */
  #awaitTurnEnd(): void {
    if (this.#isTurnEndAwaited) return;
    this.#isTurnEndAwaited = true;
    setImmediate(this.#beginTurn);
  }

  readonly #beginTurn = (): void => {
    this.#isTurnEndAwaited = false;
    for (const sandbox of this.#sandboxes.values()) {
      sandbox.done = Math.max(0, sandbox.done - this.#workPerTurnMax);
      while (sandbox.done < this.#workPerTurnMax) {
        const next = sandbox.waiting.shift();
        if (next === undefined) break;
        sandbox.done += next.work;
        next.begin();
      }
      if (sandbox.waiting.length > 0) this.#awaitTurnEnd();
    }
  };

  readonly #forgetIdle = (): void => {
    this.#forgetting = undefined;
    for (const [sandboxId, { waiting }] of this.#sandboxes) {
      if (waiting.length === 0) this.#sandboxes.delete(sandboxId);
    }
    if (this.#sandboxes.size > 0) {
      this.#forgetting = setTimeout(this.#forgetIdle, forgetMilliseconds).unref();
    }
  };
}
