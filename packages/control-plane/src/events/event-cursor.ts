/**
 * A place among the events: after the one with this transaction and sequence. Readers
 * take events of transactions below the oldest that still runs. Any that commits later
 * has a higher number, so nothing is ever added before a place that was read.
 */
export interface EventPlace {
  transactionId: bigint;
  sequence: bigint;
}

/** The place before every event. */
export const firstPlace: EventPlace = { transactionId: 0n, sequence: 0n };

export function formatCursor({ transactionId, sequence }: EventPlace): string {
  return `${transactionId}-${sequence}`;
}

/** Reads a cursor that its schema has accepted. */
export function parseCursor(cursor: string): EventPlace {
  const [transactionId = "0", sequence = "0"] = cursor.split("-");
  return { transactionId: BigInt(transactionId), sequence: BigInt(sequence) };
}
