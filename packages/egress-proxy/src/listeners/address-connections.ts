import type { Socket } from "node:net";
import type { Admission } from "./admission.ts";

/** Bounds on the connections of one source address. */
export interface ConnectionLimits {
  /** Connections that are served. */
  readonly servedMax: number;
  /** Connections that get a reason instead. */
  readonly refusedMax: number;
}

/** How long a connection without its first request is not closed to make room: the request may be on its way. */
const firstRequestMilliseconds = 5_000;
/** How long one that is refused exists at most, with its handshake and its response. */
const refusedMillisecondsMax = 10_000;
/** How long one that is refused counts at least, so that handshakes of refused ones have a bounded rate. */
const refusedMillisecondsMin = 1_000;
/** Connections that were closed to make room and still exist. */
const closingMax = 16;

interface IdleConnection {
  readonly close: () => void;
  readonly openedMilliseconds: number;
}

/** The open connections of one source address. */
export class AddressConnections {
  readonly #limits: ConnectionLimits;
  readonly #now: () => number;
  readonly #onEmpty: () => void;
  readonly #served = new Set<Socket>();
  /** Connections of `#served` without a request in progress; the one idle for longest is first. */
  readonly #keptAlive = new Map<Socket, IdleConnection>();
  /** Connections of `#served` that had no request yet, in the order of their arrival. */
  readonly #unused = new Map<Socket, IdleConnection>();
  readonly #closing = new Set<Socket>();
  readonly #refused = new Set<Socket>();

  constructor(deps: { limits: ConnectionLimits; now: () => number; onEmpty: () => void }) {
    this.#limits = deps.limits;
    this.#now = deps.now;
    this.#onEmpty = deps.onEmpty;
  }

  get count(): number {
    return this.#served.size + this.#closing.size + this.#refused.size;
  }

  /**
   * Admits a connection to be served, where necessary in place of one that is
   * idle; otherwise to be refused with a reason. Undefined when there are too
   * many of these, too.
   */
  admit(socket: Socket): Admission | undefined {
    if (this.#served.size < this.#limits.servedMax || this.#makeRoom()) return this.#serve(socket);
    return this.#refused.size < this.#limits.refusedMax ? this.#refuse(socket) : undefined;
  }

  destroyAll(): void {
    for (const sockets of [this.#served, this.#closing, this.#refused]) {
      for (const socket of sockets) socket.destroy();
    }
  }

  #serve(socket: Socket): Admission {
    const openedMilliseconds = this.#now();
    let idleIn = this.#unused;
    this.#served.add(socket);
    // Before the end of its handshake there is nobody to close it in a better way.
    idleIn.set(socket, { close: () => socket.destroy(), openedMilliseconds });
    socket.once("close", () => this.#remove(socket));
    return {
      isRefused: false,
      idle: (close) => {
        if (this.#served.has(socket)) idleIn.set(socket, { close, openedMilliseconds });
      },
      busy: () => {
        idleIn.delete(socket);
        idleIn = this.#keptAlive;
      },
    };
  }

  #remove(socket: Socket): void {
    this.#forgetServed(socket);
    this.#closing.delete(socket);
    this.#refused.delete(socket);
    if (this.count === 0) this.#onEmpty();
  }

  #forgetServed(socket: Socket): void {
    for (const sockets of [this.#served, this.#keptAlive, this.#unused]) sockets.delete(socket);
  }

  #makeRoom(): boolean {
    const [keptAlive] = this.#keptAlive;
    const [unused] = this.#unused;
    if (keptAlive !== undefined) this.#close(...keptAlive);
    else if (unused !== undefined && this.#isStale(unused[1])) this.#close(...unused);
    else return false;
    return true;
  }

  #isStale({ openedMilliseconds }: IdleConnection): boolean {
    return this.#now() - openedMilliseconds >= firstRequestMilliseconds;
  }

  #close(socket: Socket, { close }: IdleConnection): void {
    this.#forgetServed(socket);
    const [oldest] = this.#closing;
    if (oldest !== undefined && this.#closing.size >= closingMax) {
      this.#closing.delete(oldest);
      oldest.destroy();
    }
    this.#closing.add(socket);
    close();
  }

  #refuse(socket: Socket): Admission {
    this.#refused.add(socket);
    const closed = new Promise<void>((resolve) => {
      const ending = setTimeout(() => socket.destroy(), refusedMillisecondsMax).unref();
      socket.once("close", () => {
        clearTimeout(ending);
        resolve();
      });
    });
    const counted = new Promise<void>((resolve) => {
      setTimeout(resolve, refusedMillisecondsMin).unref();
    });
    void Promise.all([closed, counted]).then(() => this.#remove(socket));
    return { isRefused: true, idle: () => undefined, busy: () => undefined };
  }
}
