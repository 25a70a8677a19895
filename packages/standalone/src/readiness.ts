import { once } from "node:events";
import { connect } from "node:net";
import { egressProxyStatusSchema, workerStatusSchema } from "@opencomputer/protocol/wire";
import { Client } from "undici";
import { z } from "zod";
import type { Installation } from "./installation/installation.ts";

const pollMilliseconds = 100;
const requestMilliseconds = 5_000;
const apiHealthSchema = z.object({ ready: z.boolean() });

/** Waits until the process behind a Unix socket responds on its status route. */
export async function untilResponding(socketPath: string, signal: AbortSignal): Promise<void> {
  const schema = z.union([workerStatusSchema, egressProxyStatusSchema]);
  await poll(signal, async () => {
    const status = await readJson({ origin: "http://status", socketPath, path: "/v1/status" });
    return status !== undefined && schema.safeParse(status).success;
  });
}

/** Waits until a process accepts connections to a Unix socket. */
export async function untilListening(socketPath: string, signal: AbortSignal): Promise<void> {
  await poll(signal, async () => {
    const socket = connect(socketPath);
    try {
      await once(socket, "connect");
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error) return false;
      throw error;
    } finally {
      socket.destroy();
    }
  });
}

/**
 * Waits until sandboxes can be made. `onStage` is called with what the worker
 * does until then.
 *
 * @throws when the worker reports that it can never become ready.
 */
export async function untilReady({
  installation,
  apiOrigin,
  onStage,
  signal,
}: {
  installation: Installation;
  apiOrigin: string;
  onStage: (stage: string) => void;
  signal: AbortSignal;
}): Promise<void> {
  await poll(signal, async () => {
    const status = workerStatusSchema.safeParse(
      await readJson({
        origin: "http://worker",
        socketPath: installation.workerSocket,
        path: "/v1/status",
      }),
    );
    if (status.success) {
      if (status.data.failure !== null) throw new Error(`worker: ${status.data.failure}`);
      onStage(status.data.ready ? "starting the API" : status.data.stage);
    }
    const health = apiHealthSchema.safeParse(
      await readJson({ origin: apiOrigin, path: "/health" }),
    );
    return health.success && health.data.ready;
  });
}

/** Whether the API responds, ready or not. */
export async function isApiResponding(apiOrigin: string): Promise<boolean> {
  const health = await readJson({ origin: apiOrigin, path: "/health" });
  return apiHealthSchema.safeParse(health).success;
}

async function poll(signal: AbortSignal, isDone: () => Promise<boolean>): Promise<void> {
  while (!(await isDone())) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
}

/** The JSON at a path; `undefined` while nothing responds. */
async function readJson({
  origin,
  socketPath,
  path,
}: {
  origin: string;
  socketPath?: string;
  path: string;
}): Promise<unknown> {
  const client = new Client(origin, socketPath === undefined ? {} : { socketPath });
  try {
    const { body } = await client.request({
      method: "GET",
      path,
      signal: AbortSignal.timeout(requestMilliseconds),
    });
    return await body.json();
  } catch (error) {
    // The process is still starting, or is being started again.
    if (error instanceof Error) return undefined;
    throw error;
  } finally {
    await client.destroy();
  }
}
