import { unlinkSync } from "node:fs";
import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { errorCode } from "../logging/describe-error.ts";

/** Only the owner and the group of the socket may connect. */
const ownerAndGroupMask = 0o117;

/**
 * Listens on a Unix socket of mode 0660; its group is the directory's, where
 * that has the setgid bit. Replaces a socket that a killed process left behind;
 * rejects when a running process serves it.
 */
export async function listenOnSocket(server: FastifyInstance, path: string): Promise<void> {
  if (await isLeftBehind(path)) unlinkSync(path);
  const formerMask = process.umask(ownerAndGroupMask);
  try {
    await server.listen({ path });
  } catch (cause) {
    const problem =
      errorCode(cause) === "EADDRINUSE" ? "another process serves it" : "it cannot be made";
    throw new Error(`Cannot listen on the Unix socket ${path}: ${problem}`, { cause });
  } finally {
    process.umask(formerMask);
  }
}

/** Whether the path has a socket that no process serves. */
function isLeftBehind(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => resolve(errorCode(error) === "ECONNREFUSED"));
  });
}
