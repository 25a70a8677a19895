import type { BodySource } from "../../content-coding/decode-body.ts";
import type { Field } from "../../http/fields.ts";
import type { BodyWatch, IncomingBody } from "../../http/incoming-body.ts";
import { type FairTurns, workOfBytes } from "../../turns/fair-turns.ts";

/** Data whose parts take their sandbox's share of the turns. */
export function pacedSource(source: BodySource, turns: FairTurns, sandboxId: string): BodySource {
  return {
    async read() {
      const data = await source.read();
      if (data === null) return null;
      const bytes = data.reduce((sum, { length }) => sum + length, 0);
      const turn = turns.take(sandboxId, workOfBytes(bytes));
      if (turn !== undefined) await turn;
      return data;
    },
  };
}

/** A body whose parts take their sandbox's share of the turns. */
export class PacedBody implements IncomingBody {
  readonly #body: IncomingBody;
  readonly #turns: FairTurns;
  readonly #sandboxId: string;

  constructor(body: IncomingBody, turns: FairTurns, sandboxId: string) {
    this.#body = body;
    this.#turns = turns;
    this.#sandboxId = sandboxId;
  }

  get complete(): boolean {
    return this.#body.complete;
  }

  get bytes(): number {
    return this.#body.bytes;
  }

  get trailers(): readonly Field[] {
    return this.#body.trailers;
  }

  watch(watch: BodyWatch): void {
    this.#body.watch(watch);
  }

  async read(): Promise<readonly Buffer[] | null> {
    const before = this.#body.bytes;
    const data = await this.#body.read();
    if (data === null) return null;
    const turn = this.#turns.take(this.#sandboxId, workOfBytes(this.#body.bytes - before));
    if (turn !== undefined) await turn;
    return data;
  }

  takeWhole(): Buffer | undefined {
    const whole = this.#body.takeWhole();
    if (whole !== undefined) this.#turns.charge(this.#sandboxId, workOfBytes(whole.length));
    return whole;
  }
}
