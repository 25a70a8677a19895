import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { z } from "zod";

const responseSchema = z.object({ return: z.unknown().optional(), error: z.unknown().optional() });
const retryMilliseconds = 2;

/** A minimal QMP client: one command at a time. */
export interface Monitor {
  execute(command: string, commandArguments?: Record<string, unknown>): Promise<unknown>;
  close(): void;
}

export async function openMonitor(socketPath: string): Promise<Monitor> {
  const socket = await connectWhenThere(socketPath);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  await lines.next();
  const monitor: Monitor = {
    async execute(command, commandArguments = {}) {
      socket.write(`${JSON.stringify({ execute: command, arguments: commandArguments })}\n`);
      for (;;) {
        const line = await lines.next();
        if (line.done === true) throw new Error(`QEMU ended during ${command}`);
        const message = z.record(z.string(), z.unknown()).parse(JSON.parse(line.value));
        if ("event" in message) continue;
        const response = responseSchema.parse(message);
        if (response.error === undefined) return response.return;
        throw new Error(`QEMU refused ${command}: ${JSON.stringify(response.error)}`);
      }
    },
    close: () => socket.destroy(),
  };
  await monitor.execute("qmp_capabilities");
  return monitor;
}

async function connectWhenThere(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      // QEMU has not created its socket yet.
      if (!(error instanceof Error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMilliseconds));
    }
  }
}
