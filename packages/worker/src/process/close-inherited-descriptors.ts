import { closeSync, readdirSync, readFileSync } from "node:fs";
import { hasCode } from "./process-identity.ts";

/** `O_CLOEXEC` of Linux, which `node:fs` does not name. */
const closeOnExec = 0o2000000;
const standardDescriptorMax = 2;

/**
 * Closes each descriptor above standard error that a program started from here
 * would inherit, and returns their numbers. They are those that this process's
 * own parent left open, such as a shell's lock file: Node opens its own with
 * `O_CLOEXEC`, and sets it at its start on what it inherits, but only up to the
 * first gap beyond 15. To be called before anything else is done.
 */
export function closeInheritedDescriptors(): number[] {
  const inherited = readdirSync("/proc/self/fd")
    .map(Number)
    .filter((descriptor) => descriptor > standardDescriptorMax && isInheritable(descriptor));
  for (const descriptor of inherited) closeSync(descriptor);
  return inherited;
}

function isInheritable(descriptor: number): boolean {
  try {
    const information = readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8");
    const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(information)?.[1] ?? "", 8);
    return (flags & closeOnExec) === 0;
  } catch (error) {
    // The directory was listed through it.
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
