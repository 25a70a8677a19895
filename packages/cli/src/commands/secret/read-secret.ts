import { createInterface } from "node:readline";
import { type Readable, Writable } from "node:stream";
import { limits } from "@opencomputer/sdk";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-context.ts";

/** Reads the value for `--from-stdin`: piped, or typed without echo if stdin is a terminal. */
export async function readSecret({ stdin, stderr }: CliContext): Promise<string> {
  return stdin.isTTY === true ? await askSecret(stdin, stderr) : await readWhole(stdin);
}

/**
 * Reads a secret from a whole stream, without a newline at its end.
 *
 * @throws {CliError} when it is empty, too long, or not UTF-8.
 */
async function readWhole(stdin: Readable): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stdin) {
    const bytes: Uint8Array = typeof part === "string" ? Buffer.from(part) : part;
    length += bytes.length;
    if (length > limits.secretValueBytesMax + 2) {
      throw new CliError(
        "invalid_request",
        `The value on stdin is too long: expected at most ${limits.secretValueBytesMax} bytes`,
      );
    }
    parts.push(bytes);
  }
  const value = decode(Buffer.concat(parts)).replace(/\r?\n$/, "");
  if (value === "") {
    throw new CliError("invalid_request", "The value on stdin is empty: pipe it in");
  }
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CliError(
      "invalid_request",
      "The value on stdin is not UTF-8 text: encode it first, for instance with base64",
      { cause },
    );
  }
}

/** Prompts on a terminal for one line, without echo. */
export async function askSecret(stdin: Readable, stderr: Writable): Promise<string> {
  const nowhere = new Writable({ write: (_part, _encoding, done) => done() });
  const prompt = createInterface({ input: stdin, output: nowhere, terminal: true });
  stderr.write("Value (one line, not shown): ");
  try {
    return await new Promise<string>((resolve, reject) => {
      const giveUp = () => reject(new CliError("interrupted", "No value was entered"));
      prompt.once("line", (line) => (line === "" ? giveUp() : resolve(line)));
      prompt.once("SIGINT", giveUp);
      prompt.once("close", giveUp);
    });
  } finally {
    prompt.close();
    stderr.write("\n");
  }
}
