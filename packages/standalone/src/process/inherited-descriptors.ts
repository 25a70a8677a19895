import { closeSync, readdirSync, readFileSync } from "node:fs";
import { hasCode } from "../installation/file-access.ts";

const descriptorDirectory = "/proc/self/fd";
const standardDescriptorMax = 2;
/** fcntl(2): O_CLOEXEC, as it appears in `flags` of proc(5). */
const closedOnExec = 0o2000000;

/**
 * Closes the file descriptors that this process inherited besides the standard
 * streams, so that none is passed on to the processes and machines of the
 * service. Node marks the descriptors that it opens as closed on exec, but of
 * the inherited ones only those with the lowest numbers.
 */
export function closeInheritedDescriptors(): void {
  for (const descriptor of readdirSync(descriptorDirectory).map(Number)) {
    if (descriptor > standardDescriptorMax && staysOpenOnExec(descriptor)) closeSync(descriptor);
  }
}

function staysOpenOnExec(descriptor: number): boolean {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8");
    const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(text)?.[1] ?? "", 8);
    return (flags & closedOnExec) === 0;
  } catch (error) {
    // The descriptor that listed the directory is closed by now.
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
