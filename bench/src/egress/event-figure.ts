import type { Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { percentile } from "../statistics.ts";
import { measureEventLatencies } from "./clients/events.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { sessions } from "./setup/sessions.ts";

const rounds = 20;
const eventsPerRound = 200;
const addedMillisecondsMax = 2;

/** Latency of the events of a stream through the proxy, compared with the relay. */
export async function measureEvents(onRound: (text: string) => void): Promise<Figure> {
  const session = sessions.withOneSecret();
  const path = await startMeasuredPath({ origin: "event-origin", sessions: [session] });
  try {
    const { measured, floor } = await measureInTurns({
      rounds,
      measured: () => measureEventLatencies(path.throughProxy(session), eventsPerRound),
      floor: () => measureEventLatencies(path.throughRelay(session), eventsPerRound),
      onRound,
    });
    const searched = describeLatencies(measured.flat());
    const relayed = describeLatencies(floor.flat());
    const added = { p50: searched.p50 - relayed.p50, p99: searched.p99 - relayed.p99 };
    return {
      name: "latency of server-sent events of 100 bytes, searched, 200 a second: p50 / p99",
      measured: searched.text,
      floor: `${relayed.text} (bare Node TLS relay)`,
      result: `p50 ${signed(added.p50)}, p99 ${signed(added.p99)} ms`,
      mustReach: `p99 ≤ floor + ${addedMillisecondsMax} ms`,
      reached: added.p99 <= addedMillisecondsMax,
    };
  } finally {
    await path.stop();
  }
}

function describeLatencies(latencies: number[]): { p50: number; p99: number; text: string } {
  const p50 = percentile(latencies, 0.5);
  const p99 = percentile(latencies, 0.99);
  return { p50, p99, text: `${p50.toFixed(2)} / ${p99.toFixed(2)} ms` };
}

function signed(milliseconds: number): string {
  return `${milliseconds < 0 ? "−" : "+"}${Math.abs(milliseconds).toFixed(2)}`;
}
