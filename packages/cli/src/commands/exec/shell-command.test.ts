import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { shellCommand } from "./shell-command.ts";

/** The words that a program receives when a real shell runs the command for them. */
function received(words: string[], environment: Record<string, string> = {}): string[] {
  const script = shellCommand([process.execPath, "-e", printArguments, "--", ...words]);
  const output = execFileSync("/bin/bash", ["-c", script], {
    env: { PATH: "/usr/bin:/bin", ...environment },
    encoding: "utf8",
  });
  return JSON.parse(output);
}
const printArguments = "console.log(JSON.stringify(process.argv.slice(1)))";

describe("shellCommand", () => {
  test("leaves a single word as the script that it is", () => {
    assert.equal(shellCommand(["ls | wc -l; echo $HOME"]), "ls | wc -l; echo $HOME");
  });

  test("expands $NAME and ${NAME} within their own word, spaces and quotes included", () => {
    const environment = { KEY: "a b  'c' \"d\" * $HOME `id`", EMPTY: "" };
    const words = ["x-api-key: $KEY", "${KEY}$KEY", "$EMPTY", "$UNSET_VARIABLE", "$KEY_$EMPTY"];
    assert.deepEqual(received(words, environment), [
      `x-api-key: ${environment.KEY}`,
      environment.KEY + environment.KEY,
      "",
      "",
      "",
    ]);
  });

  test("interprets nothing else", () => {
    const words = [
      ...["", " ", "'", '"', "''", "it's", "\\", "\\$", "a\nb", "\t", "~", "#", "!", "&&", "|"],
      ...["*", "?", "[a]", "{a,b}", ">", "<", ";", "(", ")", "`id`", "$(id)", "$((1+1))", "$'a'"],
      ...['$"a"', "$", "$$", "$1", "$@", "$*", "$?", "$!", "$-", "${", "${}", "${A:-b}", "${#A}"],
      ...["${!A}", "${A", "-n", "--", "=", "A=b", "$ {A}", "ü$é", "\u{1F600}"],
    ];
    assert.deepEqual(received(words), words);
  });

  test("interprets nothing else, for seeded random words", () => {
    const alphabet = [..."aZ9$`'\"\\{}()[]<>|&;*?!#~= \t\n-+:@%^,./é"];
    let state = 20260401;
    const next = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % below;
    };
    for (let round = 0; round < 20; round += 1) {
      const words = Array.from({ length: 40 }, () =>
        Array.from({ length: next(24) }, () => alphabet[next(alphabet.length)]).join(""),
      );
      const expected = words.map((word) =>
        word.replace(/\$(?:[A-Za-z][A-Za-z0-9]*|\{[A-Za-z][A-Za-z0-9]*\})/g, ""),
      );
      assert.deepEqual(received(words), expected);
    }
  });

  test("runs programs and never builtins, whatever their name", () => {
    assert.equal(shellCommand(["-a", "b"]), "exec -- '-a' 'b'");
    assert.throws(
      () => execFileSync("/bin/bash", ["-c", shellCommand(["export", "A=b"])], { stdio: "pipe" }),
      { status: 127 },
    );
  });
});
