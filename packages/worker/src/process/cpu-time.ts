/** The kernel counts CPU time in ticks of a length that no Linux of today changes: USER_HZ is 100. */
const millisecondsPerTick = 10;

/** User and system time of all threads: fields 14 and 15 of `/proc/<pid>/stat`, proc_pid_stat(5). */
export function cpuMillisecondsOf(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [Number(fields[11] ?? "x"), Number(fields[12] ?? "x")];
  const ticks = user + system;
  return Number.isSafeInteger(ticks) ? ticks * millisecondsPerTick : undefined;
}
