import { once } from "node:events";
import { connect } from "node:tls";
import type { Target } from "../setup/measured-path.ts";
import { type LoadResult, measureResponses } from "./load-result.ts";

/**
 * New TLS connections per second, each with one request, and their CPU time in
 * the process `pid`, after a warm-up that is not counted. No client resumes a TLS
 * session, as `curl` in a loop does not.
 */
export async function measureConnections({
  target,
  head,
  clients,
  ...measured
}: {
  target: Target;
  pid: number;
  head: string;
  clients: number;
  warmUpMilliseconds: number;
  milliseconds: number;
}): Promise<LoadResult> {
  let count = 0;
  let isOver = false;
  const connectAgain = async (): Promise<void> => {
    while (!isOver) {
      await requestOnce(target, head);
      count += 1;
    }
  };
  const work = Promise.all(Array.from({ length: clients }, connectAgain));
  const result = await measureResponses(() => count, measured);
  isOver = true;
  await work;
  if (result.perSecond === 0) throw new Error("Not one response arrived");
  return result;
}

async function requestOnce(target: Target, head: string): Promise<void> {
  const socket = connect(target);
  try {
    await once(socket, "secureConnect");
    socket.write(head);
    const [response]: Buffer[] = await once(socket, "data");
    if (response?.toString("latin1", 0, 12) !== "HTTP/1.1 200") {
      throw new Error(`Expected 200, got ${response?.toString("latin1", 0, 200)}`);
    }
    socket.end();
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
