import type { Socket } from "node:net";

const silenceMilliseconds = 60_000;
const intervalMilliseconds = 10_000;
const probesMax = 6;

/**
 * Has the kernel probe a connection that is silent for a minute, and end it when
 * six probes, ten seconds apart, stay without response. A connection has no
 * other limit where silence is no fault. Node 20 and 22 probe every second.
 */
export function probeWhenSilent(socket: Socket): void {
  socket.setKeepAlive(true, silenceMilliseconds, intervalMilliseconds, probesMax);
}
