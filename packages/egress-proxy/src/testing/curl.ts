import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";

export interface CurlResult {
  readonly exitCode: number | null;
  readonly status: number;
  readonly body: string;
  /** The output of curl's `--verbose`: the heads, and its errors. */
  readonly verbose: string;
}

/** Runs curl as a sandbox whose packets come from `guestAddress` and end at the proxy, whatever the URL. */
export type Curl = (
  args: readonly string[],
  options?: { guestAddress?: string; stdin?: Readable },
) => Promise<CurlResult>;

const statusMark = "\ncurl-status:";

export function createCurl(options: {
  proxyAddress: string;
  proxyPort: number;
  guestAddress: string;
  authorityFile: string;
}): Curl {
  return async (args, { guestAddress = options.guestAddress, stdin } = {}) => {
    const child = spawn(
      "curl",
      [
        ...["--silent", "--verbose", "--max-time", "60", "--noproxy", "*"],
        ...["--interface", guestAddress, "--cacert", options.authorityFile],
        ...["--connect-to", `::${options.proxyAddress}:${options.proxyPort}`],
        ...["--write-out", `${statusMark}%{http_code}`],
        ...args,
      ],
      { env: { PATH: process.env["PATH"] } },
    );
    if (stdin === undefined) child.stdin.end();
    else stdin.pipe(child.stdin).on("error", () => stdin.destroy());
    let output = "";
    let verbose = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      verbose += chunk;
    });
    await once(child, "close");
    const mark = output.lastIndexOf(statusMark);
    return {
      exitCode: child.exitCode,
      status: Number(output.slice(mark + statusMark.length)),
      body: output.slice(0, mark),
      verbose,
    };
  };
}
