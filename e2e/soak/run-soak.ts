import { setTimeout as delay } from "node:timers/promises";
import { type Action, drawAction, type SoakContext } from "./actions.ts";

export interface SoakOptions {
  readonly seconds: number;
  /** Between the starts of two actions. */
  readonly intervalSeconds: number;
  /** Called after each quarter, while no action is under way. */
  readonly onQuarter: (quarter: number) => Promise<void>;
}

/** What the load has done. */
export interface SoakLoad {
  /** Completed actions by name. */
  readonly done: Map<string, number>;
  /** Starts that were left out because every sandbox was busy. */
  skipped: number;
}

/** Starts an action at every interval until the time is over; the first failure ends it. */
export async function runSoak(context: SoakContext, options: SoakOptions): Promise<SoakLoad> {
  const load: SoakLoad = { done: new Map(), skipped: 0 };
  const underWay = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;

  async function perform(action: Action): Promise<void> {
    if (action.subject !== undefined) action.subject.isBusy = true;
    try {
      await action.run();
      load.done.set(action.name, (load.done.get(action.name) ?? 0) + 1);
    } catch (cause) {
      const of = action.subject === undefined ? "" : ` of ${action.subject.sandbox.sandboxId}`;
      failure ??= { error: new Error(`The action ${action.name}${of} failed`, { cause }) };
    } finally {
      if (action.subject !== undefined) action.subject.isBusy = false;
    }
  }

  for (let quarter = 1; quarter <= 4; quarter += 1) {
    const end = performance.now() + (options.seconds / 4) * 1000;
    while (performance.now() < end && failure === undefined) {
      const action = drawAction(context);
      if (action === undefined) load.skipped += 1;
      else {
        const performing: Promise<void> = perform(action).finally(() =>
          underWay.delete(performing),
        );
        underWay.add(performing);
      }
      await delay(options.intervalSeconds * 1000);
    }
    await Promise.all(underWay);
    if (failure !== undefined) throw failure.error;
    await options.onQuarter(quarter);
  }
  return load;
}
