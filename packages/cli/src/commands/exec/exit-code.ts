/** As `timeout` of GNU coreutils ends when the time is over. */
export const timedOutExitCode = 124;
/** As a shell tells of a program that SIGINT ended. */
export const interruptedExitCode = 130;

/** The exit code of `oc` for that of a command. */
export function toExitCode(exitCode: number): number {
  return exitCode === -1 ? timedOutExitCode : exitCode;
}
