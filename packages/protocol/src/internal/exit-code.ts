/** Exit codes of the service and its processes; sysexits(3) has the numbers. */
export const exitCodes = {
  /** It was stopped in order. */
  stopped: 0,
  /** It cannot run, for a reason that its last message states. */
  failed: 1,
  /** A process ended again and again before the service was ready, as without its database. A later start may succeed. */
  temporaryFailure: 75,
  /** A setting, or what the host offers, has to be changed before a start can succeed. */
  configuration: 78,
} as const;
