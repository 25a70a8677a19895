import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A repository behind git's own HTTP backend, for one user with a password. */
export interface GitServer {
  handle(request: IncomingMessage, response: ServerResponse, body: Buffer): void;
  /** Subjects of all commits. */
  log(): Promise<string>;
  close(): Promise<void>;
}

export async function createGitServer({
  user,
  password,
}: {
  user: string;
  password: string;
}): Promise<GitServer> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-git-"));
  const repository = join(directory, "repository.git");
  await run("git", ["init", "-q", "--bare", repository]);
  await run("git", ["-C", repository, "config", "http.receivepack", "true"]);
  const backend = join((await run("git", ["--exec-path"])).stdout.trim(), "git-http-backend");
  const credentials = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

  return {
    handle(request, response, body) {
      if (request.headers.authorization !== credentials) {
        response.writeHead(401, { "www-authenticate": 'Basic realm="git"' });
        response.end();
        return;
      }
      const url = new URL(request.url ?? "/", "https://git");
      const child = spawn(backend, {
        env: {
          PATH: process.env["PATH"],
          GIT_PROJECT_ROOT: directory,
          GIT_HTTP_EXPORT_ALL: "1",
          REMOTE_USER: user,
          REQUEST_METHOD: request.method,
          PATH_INFO: url.pathname,
          QUERY_STRING: url.search.slice(1),
          CONTENT_TYPE: request.headers["content-type"] ?? "",
          CONTENT_LENGTH: String(body.length),
          HTTP_CONTENT_ENCODING: String(request.headers["content-encoding"] ?? ""),
          GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        },
        stdio: ["pipe", "pipe", "inherit"],
      });
      const chunks: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
      child.once("close", () => respondFromCgi(Buffer.concat(chunks), response));
      // Git may end before it has read all of it.
      child.stdin.on("error", () => child.stdin.destroy());
      child.stdin.end(body);
    },
    log: async () => (await run("git", ["-C", repository, "log", "--all", "--format=%s"])).stdout,
    close: () => rm(directory, { recursive: true }),
  };
}

/** RFC 3875, section 6.3: header fields, an empty line, the body. */
function respondFromCgi(output: Buffer, response: ServerResponse): void {
  const headEnd = output.indexOf("\r\n\r\n");
  for (const line of output.subarray(0, headEnd).toString("latin1").split("\r\n")) {
    const [name = "", value = ""] = line.split(/:\s*/, 2);
    if (name.toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.end(output.subarray(headEnd + 4));
}
