import { closeSync, readdirSync, readFileSync } from "node:fs";

const descriptorDirectory = "/proc/self/fd";
const standardDescriptorMax = 2;
/** fcntl(2): O_CLOEXEC, as `flags` of proc(5) has it. */
const closedOnExec = 0o2000000;

/**
 * Closes the file descriptors that this process inherited besides the standard
 * streams, so that no process it starts gets them: neither the ones that hold
 * secrets nor the machines. Node marks what it opens itself as closed on exec,
 * but of what it inherits only the lowest numbers.
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
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
