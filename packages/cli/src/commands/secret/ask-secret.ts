import { createInterface } from "node:readline";
import { type Readable, Writable } from "node:stream";
import { CliError } from "../../cli-error.ts";

/** Asks on a terminal for one line, which it does not show. */
export async function askSecret(stdin: Readable, stderr: Writable): Promise<string> {
  const nowhere = new Writable({ write: (_part, _encoding, done) => done() });
  const prompt = createInterface({ input: stdin, output: nowhere, terminal: true });
  stderr.write("Value (one line, not shown): ");
  try {
    return await new Promise<string>((resolve, reject) => {
      const giveUp = () => reject(new CliError("interrupted", "No value was given"));
      prompt.once("line", (line) => (line === "" ? giveUp() : resolve(line)));
      prompt.once("SIGINT", giveUp);
      prompt.once("close", giveUp);
    });
  } finally {
    prompt.close();
    stderr.write("\n");
  }
}
