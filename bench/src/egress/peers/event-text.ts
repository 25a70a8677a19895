export const eventEnd = "\n\n";
const eventBytes = 100;
const words = " the next few words of a response that a model is writing just now, in small parts";

/** One event of about 100 bytes that states when it was sent, on the clock that all processes share. */
export function eventText(sentAt: bigint): string {
  return `data: ${sentAt}${words}`.slice(0, eventBytes - eventEnd.length) + eventEnd;
}

/** When an event was sent; the text is without its end. */
export function sentAtOf(event: string): bigint {
  const [, digits] = /^data: (\d+) /.exec(event) ?? [];
  if (digits === undefined) throw new Error(`Expected an event with a time, got ${event}`);
  return BigInt(digits);
}
