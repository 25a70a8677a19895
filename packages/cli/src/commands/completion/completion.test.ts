import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { Command, Option } from "commander";
import { type Oc, startOc } from "../../testing/start-oc.ts";
import { bashCompletion } from "./bash-completion.ts";
import { type CommandLevel, listCommandLevels } from "./command-levels.ts";
import { fishCompletion } from "./fish-completion.ts";
import { zshCompletion } from "./zsh-completion.ts";

/** What a real bash offers after `words`, the last of which is being typed. */
function offered(script: string, words: readonly string[]): string[] {
  const typed = `${script}
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _oc; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync("bash", ["-euc", typed, "bash", ...words], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
  return output.split("\n").filter((line) => line !== "");
}

describe("oc completion", () => {
  let oc: Oc;
  let script: string;
  before(async () => {
    oc = await startOc();
    script = await oc.done(["completion", "bash"]);
  });
  after(() => oc.end());

  for (const [typed, expected] of [
    ["oc sec", ["secret-store", "secret"]],
    ["oc sandbox set", ["set-timeout"]],
    ["oc sandbox de", ["delete"]],
    ["oc completion ", ["bash", "zsh", "fish"]],
    ["oc config set api", ["api-key", "api-url"]],
    ["oc ls --stat", ["--status"]],
    ["oc ls --status ", ["running", "hibernated", "stopped"]],
    ["oc ls --status = st", ["stopped"]],
    ["oc ls --status =", ["running", "hibernated", "stopped"]],
    ["oc --api-key create sandbox lis", ["list"]],
    ["oc create --env ls --cp", ["--cpu"]],
    ["oc sandbox kill --js", ["--json"]],
    ["oc create --timeout ", []],
    ["oc exec sb-abc123 -- l", []],
  ] as const) {
    test(`bash offers for \`${typed}\` what fits`, () => {
      const found = offered(script, typed.split(" "));
      assert.deepEqual(found.toSorted(), [...expected].toSorted());
    });
  }

  test("bash offers commands first, and the flags of one that has none below it", () => {
    assert.ok(offered(script, ["oc", "project", ""]).every((word) => !word.startsWith("-")));
    const flags = offered(script, ["oc", "create", ""]);
    assert.ok(flags.includes("--secret-store") && flags.includes("--help"));
  });

  test("every place is in the script of every shell", async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const text = await oc.done(["completion", shell]);
      for (const place of ["oc project update", "oc sandbox delete", "oc secret set"]) {
        assert.ok(text.includes(`'${place}'`), `${shell}: ${place}`);
      }
    }
    assert.equal((await oc.run(["completion", "tcsh"])).exitCode, 1);
  });
});

describe("completion scripts", () => {
  const command = new Command("oc");
  command
    .command("send")
    .description("Send a sandbox's $(file): `all`")
    .addOption(new Option("--script <file|->", "what to send"))
    .addOption(new Option("--mode <mode>", "how").choices(["fast", "safe"]));
  const levels: CommandLevel[] = listCommandLevels(command);

  test("complete local files after an option that takes one", () => {
    const files = offered(bashCompletion(levels), ["oc", "send", "--script", "posix"]);
    assert.deepEqual(files, ["posix-shell.ts"]);
  });

  test("let no summary out of its quotes", () => {
    assert.match(zshCompletion(levels), /'send:Send a sandbox'\\''s \$\(file\): `all`'/);
    assert.match(fishCompletion(levels), /-d 'Send a sandbox\\'s \$\(file\): `all`'/);
  });
});
