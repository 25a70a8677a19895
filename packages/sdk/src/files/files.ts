import {
  type DirectoryEntry,
  directoryListingSchema,
  type SignedUrl,
  signedUrlSchema,
} from "@opencomputer/protocol/api";
import type { CallOptions, Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import { type ApiRequest, type ApiRequestBody, apiPath } from "../request/api-request.ts";
import { networkFailure } from "../request/network-failure.ts";
import {
  requestDeletion,
  requestJson,
  requestNothing,
  sendRequest,
} from "../request/send-request.ts";
import { downloadStream } from "./download-stream.ts";
import { type StreamSource, uploadStream } from "./upload-source.ts";

/** Options of {@link Files.downloadUrl} and {@link Files.uploadUrl}. */
export interface SignedUrlOptions extends CallOptions {
  /** How long the URL opens its file, in seconds, at most 86400. Default 3600. */
  expiresIn?: number | undefined;
}

/** Content that is in memory; text is written as UTF-8. */
export type FileContent = string | Uint8Array | ArrayBuffer | Blob;

/**
 * The files of one sandbox. Paths are absolute, or relative to `/home/sandbox`.
 *
 * Every call throws {@link OpenComputerError}: `not_a_file` or `not_a_directory` for a path
 * of the other kind, `invalid_request` for one that cannot be used.
 */
export interface Files {
  /** Returns a file's content as UTF-8 text; invalid bytes become U+FFFD. @throws {OpenComputerError} `file_not_found`. */
  read(path: string, options?: CallOptions): Promise<string>;
  /** Returns a file's bytes. @throws {OpenComputerError} `file_not_found`. */
  readBytes(path: string, options?: CallOptions): Promise<Uint8Array>;
  /**
   * A file as a stream, which buffers little of it. Read it to its end or cancel
   * it. It errors with `connection_failed` when the connection breaks.
   *
   * @throws {OpenComputerError} `file_not_found`.
   */
  readStream(path: string, options?: CallOptions): Promise<ReadableStream<Uint8Array>>;
  /**
   * Writes a file, replacing an existing one, and creates its missing parents. A stream
   * is written as by {@link writeStream}.
   *
   * @throws {OpenComputerError} `guest_storage_full`; nothing was changed then.
   */
  write(path: string, content: FileContent | StreamSource, options?: CallOptions): Promise<void>;
  /**
   * Writes a file from a web stream or an async iterable (a Node stream is
   * one), reading it only as fast as the sandbox stores it. Rejects with an
   * error of the source. The request is never sent twice.
   *
   * Of browsers, only those with streamed request bodies can do this (over
   * HTTP/2 or later); elsewhere pass a `Blob` to {@link write}.
   *
   * @throws {OpenComputerError} as {@link write}.
   */
  writeStream(path: string, source: StreamSource, options?: CallOptions): Promise<void>;
  /**
   * Lists the entries of a directory; `size` is in bytes.
   *
   * @throws {OpenComputerError} `file_not_found`; `directory_too_large` for more than 100,000 entries.
   */
  list(path: string, options?: CallOptions): Promise<DirectoryEntry[]>;
  /**
   * Creates a directory and its missing parents. One that exists is no error.
   *
   * @throws {OpenComputerError} `file_exists` when the path is a file.
   */
  makeDir(path: string, options?: CallOptions): Promise<void>;
  /** Deletes a file, or a directory with its contents. @throws {OpenComputerError} `file_not_found`. */
  remove(path: string, options?: CallOptions): Promise<void>;
  /** Whether a file or a directory exists at the path. */
  exists(path: string, options?: CallOptions): Promise<boolean>;
  /**
   * Creates a URL from which anyone who has it can GET the file, without a key, until
   * it expires. The file need not exist yet.
   */
  downloadUrl(path: string, options?: SignedUrlOptions): Promise<SignedUrl>;
  /** Creates a URL to which anyone who has it can PUT the file's content, as {@link downloadUrl}. */
  uploadUrl(path: string, options?: SignedUrlOptions): Promise<SignedUrl>;
}

export function createFiles(connection: Connection, sandboxId: string): Files {
  const base = apiPath`/sandboxes/${sandboxId}/files`;
  const at = (options: CallOptions | undefined): Connection => ({
    ...connection,
    signal: options?.signal,
  });
  const contentOf = (path: string): ApiRequest => ({ method: "GET", path: base, query: { path } });

  async function upload(path: string, body: ApiRequestBody, options?: CallOptions): Promise<void> {
    const request: ApiRequest = { method: "PUT", path: base, query: { path }, body };
    await requestNothing(at(options), { ...request, deadlineSeconds: null });
  }

  async function readBytes(path: string, options?: CallOptions): Promise<Uint8Array> {
    const request = { ...contentOf(path), deadlineSeconds: null };
    return await sendRequest(
      at(options),
      request,
      async (response) => new Uint8Array(await response.arrayBuffer()),
    );
  }

  async function readStream(
    path: string,
    options?: CallOptions,
  ): Promise<ReadableStream<Uint8Array>> {
    const request = contentOf(path);
    return await sendRequest(at(options), request, async (response) =>
      downloadStream(response.body, (cause) =>
        options?.signal?.aborted === true
          ? options.signal.reason
          : networkFailure(connection.baseUrl, request, cause),
      ),
    );
  }

  async function writeStream(
    path: string,
    source: StreamSource,
    options?: CallOptions,
  ): Promise<void> {
    const { stream, failure, stop } = uploadStream(source);
    try {
      await upload(path, { kind: "stream", value: stream }, options);
    } catch (error) {
      const failed = failure();
      throw failed === undefined ? error : failed.error;
    } finally {
      await stop();
    }
  }

  async function signedUrl(
    route: "download-url" | "upload-url",
    path: string,
    options: SignedUrlOptions = {},
  ): Promise<SignedUrl> {
    const { expiresIn } = options;
    return await requestJson(
      at(options),
      {
        method: "POST",
        path: `${base}/${route}`,
        body: { kind: "json", value: { path, expiresIn } },
        idempotent: true,
      },
      signedUrlSchema,
    );
  }

  async function exists(path: string, options?: CallOptions): Promise<boolean> {
    try {
      const stream = await readStream(path, options);
      await stream.cancel();
      return true;
    } catch (error) {
      if (!(error instanceof OpenComputerError)) throw error;
      if (error.code === "not_a_file") return true;
      // Below a file there is nothing.
      if (error.code === "file_not_found" || error.code === "not_a_directory") return false;
      throw error;
    }
  }

  return {
    readBytes,
    readStream,
    writeStream,
    exists,
    downloadUrl: (path, options) => signedUrl("download-url", path, options),
    uploadUrl: (path, options) => signedUrl("upload-url", path, options),
    async read(path, options) {
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await readBytes(path, options));
    },
    async write(path, content, options) {
      if (isStreamSource(content)) return await writeStream(path, content, options);
      const value = content instanceof Blob ? content : bytesOf(content);
      await upload(path, { kind: "bytes", value }, options);
    },
    async list(path, options) {
      const request: ApiRequest = { method: "GET", path: `${base}/list`, query: { path } };
      return await requestJson(at(options), request, directoryListingSchema);
    },
    async makeDir(path, options) {
      const request: ApiRequest = { method: "POST", path: `${base}/mkdir`, query: { path } };
      await requestNothing(at(options), { ...request, idempotent: true });
    },
    async remove(path, options) {
      await requestDeletion(at(options), { method: "DELETE", path: base, query: { path } });
    },
  };
}

function isStreamSource(content: FileContent | StreamSource): content is StreamSource {
  return (
    typeof content !== "string" &&
    !(content instanceof Blob) &&
    ("getReader" in content || Symbol.asyncIterator in content)
  );
}

/** The content's bytes, copied only where `fetch` cannot send them directly. */
function bytesOf(content: string | Uint8Array | ArrayBuffer): Uint8Array<ArrayBuffer> {
  if (typeof content === "string") return new TextEncoder().encode(content);
  if (content instanceof ArrayBuffer) return new Uint8Array(content);
  const { buffer, byteOffset, byteLength } = content;
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(content);
}
