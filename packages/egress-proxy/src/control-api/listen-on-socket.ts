import { unlinkSync } from "node:fs";
import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { errorCode } from "../describe-error.ts";

/** The owner and the group of the socket may connect, and nobody else. */
const ownerAndGroupMask = 0o117;

/**
 * Serves on a Unix socket of mode 0660, whose group is the one of its directory where that
 * passes it on. A socket that a killed process left
 * behind is taken over; one that a living process serves is not, and the
 * call rejects.
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

/** Whether there is a socket that nobody serves. */
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
