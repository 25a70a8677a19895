import { Events } from "@opencomputer/sdk";

/** One reader of the event stream, from now on. */
export class Follower {
  readonly #stopping = new AbortController();
  readonly #following: Promise<void>;
  #received = 0;
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(connection: { readonly apiUrl: string; readonly apiKey: string }) {
    this.#following = this.#follow(connection);
  }

  /** Resolves once it has received so many events since its start. */
  async until(count: number): Promise<void> {
    while (this.#received < count) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#following;
  }

  async #follow(connection: { readonly apiUrl: string; readonly apiKey: string }): Promise<void> {
    const { signal } = this.#stopping;
    try {
      // The org has no event yet: a stream from the beginning misses none.
      for await (const _event of Events.follow({ ...connection, cursor: "0-0", signal })) {
        this.#received += 1;
        this.#wake();
      }
    } catch (error) {
      if (!signal.aborted) this.#failure = error;
    } finally {
      this.#wake();
    }
  }
}
