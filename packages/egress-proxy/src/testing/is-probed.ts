import { readFileSync } from "node:fs";

/** The kernel's number for a timer of TCP probes (proc(5), `/proc/net/tcp`). */
const probeTimer = "02";

interface Ports {
  readonly localPort?: number | undefined;
  readonly remotePort?: number | undefined;
}

/** Whether the kernel will send TCP probes on a quiet connection between loopback addresses. */
export function isProbed({ localPort, remotePort }: Ports): boolean {
  const [local, remote] = [localPort, remotePort].map((port) =>
    (port ?? 0).toString(16).toUpperCase().padStart(4, "0"),
  );
  return readFileSync("/proc/net/tcp", "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .some(
      ([, from, to, , , timer]) =>
        from?.endsWith(`:${local}`) === true &&
        to?.endsWith(`:${remote}`) === true &&
        timer?.startsWith(`${probeTimer}:`) === true,
    );
}
