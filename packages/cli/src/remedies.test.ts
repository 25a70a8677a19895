import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { createProgram } from "./create-program.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The commands and settings that errors of the service name in `remediation`. */
async function readRemedies(): Promise<Set<string>> {
  const remedies = new Set<string>();
  const sources = glob("packages/{control-plane,worker,process}/src/**/*.ts", {
    cwd: root,
    exclude: (name) => /testing|\.test\.ts$/.test(name),
  });
  for await (const file of sources) {
    const source = await readFile(`${root}/${file}`, "utf8");
    for (const [, text = ""] of source.matchAll(/[rR]emediation(?::|\s=)\s*["`]([^"`]+)["`]/g)) {
      for (const remedy of text.split(/, (?:or )?/)) remedies.add(remedy);
    }
  }
  return remedies;
}

/** The command that words lead to; undefined when they end at a group or nowhere. */
function findCommand(program: Command, words: readonly string[]): Command | undefined {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((child) =>
      [child.name(), ...child.aliases()].includes(word),
    );
    if (next === undefined) break;
    command = next;
  }
  return command.commands.length === 0 ? command : undefined;
}

test("every command and setting that an error of the service names exists", async () => {
  const ignore = () => undefined;
  const stdin = new PassThrough();
  const streams = { stdin, stdout: stdin, stderr: stdin, signals: stdin };
  const program = await createProgram(
    { ...streams, environment: {}, configPath: "", version: "1" },
    { onExitCode: ignore, onUsageText: ignore },
  );
  const settings = await readFile(`${root}/docs/operators/settings.md`, "utf8");
  const remedies = await readRemedies();
  assert.ok(remedies.size > 20, [...remedies].join("\n"));
  for (const remedy of remedies) {
    if (!remedy.startsWith("oc ")) {
      assert.ok(settings.includes(`\`${remedy}\``), remedy);
      continue;
    }
    const words = remedy.split(" ").slice(1);
    const command = findCommand(program, words);
    assert.ok(command !== undefined, remedy);
    const options = command.options.map(({ long }) => long);
    for (const option of words.filter((word) => word.startsWith("--"))) {
      assert.ok(options.includes(option), remedy);
    }
  }
});
