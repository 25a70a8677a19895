import type { Readable } from "node:stream";
import { type DirectoryEntry, directoryListingSchema } from "@opencomputer/protocol/api";
import type { StreamedResponse, UnixSocketClient } from "../peers/unix-socket-client.ts";

const fileTimeoutMilliseconds = 60_000;

/** The files of sandboxes, by way of the worker. */
export interface WorkerFiles {
  readFile(sandboxId: string, path: string, signal: AbortSignal): Promise<StreamedResponse>;
  writeFile(
    sandboxId: string,
    path: string,
    content: { body: Readable; length: string | undefined },
    signal: AbortSignal,
  ): Promise<void>;
  deleteFile(sandboxId: string, path: string): Promise<void>;
  listDirectory(sandboxId: string, path: string): Promise<DirectoryEntry[]>;
  makeDirectory(sandboxId: string, path: string): Promise<void>;
}

export function createWorkerFiles(client: UnixSocketClient): WorkerFiles {
  const filePath = (sandboxId: string, route: string, path: string) =>
    `/v1/sandboxes/${sandboxId}/${route}?path=${encodeURIComponent(path)}`;

  return {
    readFile: (sandboxId, path, signal) =>
      client.stream({ method: "GET", path: filePath(sandboxId, "files", path), signal }),

    async writeFile(sandboxId, path, { body, length }, signal) {
      const response = await client.stream({
        method: "PUT",
        path: filePath(sandboxId, "files", path),
        body,
        headers: {
          "content-type": "application/octet-stream",
          ...(length === undefined ? {} : { "content-length": length }),
        },
        signal,
      });
      response.body.resume();
    },

    deleteFile: (sandboxId, path) =>
      client.send({
        method: "DELETE",
        path: filePath(sandboxId, "files", path),
        timeoutMilliseconds: fileTimeoutMilliseconds,
      }),

    listDirectory: (sandboxId, path) =>
      client.request(
        {
          method: "GET",
          path: filePath(sandboxId, "files/list", path),
          timeoutMilliseconds: fileTimeoutMilliseconds,
        },
        directoryListingSchema,
      ),

    makeDirectory: (sandboxId, path) =>
      client.send({
        method: "POST",
        path: filePath(sandboxId, "files/mkdir", path),
        timeoutMilliseconds: fileTimeoutMilliseconds,
      }),
  };
}
