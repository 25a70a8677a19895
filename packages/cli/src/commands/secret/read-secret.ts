import type { Readable } from "node:stream";
import { limits } from "@opencomputer/sdk";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-error.ts";
import { askSecret } from "./ask-secret.ts";

/** The value for `--from-stdin`: piped in, or typed unseen where stdin is a terminal. */
export async function readSecret({ stdin, stderr }: CliContext): Promise<string> {
  return stdin.isTTY === true ? await askSecret(stdin, stderr) : await readWhole(stdin);
}

/**
 * A secret from the whole of an input, without the newline that ends it.
 *
 * @throws {CliError} when it is empty, too long, or no UTF-8: what cannot be
 * kept exactly is not kept at all.
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
    throw new CliError("invalid_request", "There is no value on stdin: pipe it in");
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
