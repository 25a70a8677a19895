import { sql } from "../database/query-builder.ts";

/**
 * The assignments that add the row which was to be inserted to the row, named `bucket`, that has
 * its key: for an `insert … on conflict`.
 */
export const addedToBucket = sql.raw(`
  running_milliseconds = bucket.running_milliseconds + excluded.running_milliseconds,
  cpu_milliseconds = bucket.cpu_milliseconds + excluded.cpu_milliseconds,
  memory_mb_seconds = bucket.memory_mb_seconds + excluded.memory_mb_seconds,
  memory_peak_bytes = greatest(bucket.memory_peak_bytes, excluded.memory_peak_bytes),
  disk_peak_bytes = greatest(bucket.disk_peak_bytes, excluded.disk_peak_bytes),
  network_received_bytes = bucket.network_received_bytes + excluded.network_received_bytes,
  network_sent_bytes = bucket.network_sent_bytes + excluded.network_sent_bytes`);
