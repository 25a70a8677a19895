import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { quoteWords } from "./quote-words.ts";

test("quoteWords leaves plain words and redirections as they are", () => {
  assert.equal(quoteWords(["oc", "kill", "sb-abc123"]), "oc kill sb-abc123");
  assert.equal(
    quoteWords(["oc", "--in", "header:x-api-key,query"]),
    "oc --in header:x-api-key,query",
  );
  assert.equal(quoteWords(["cat", ">", "a b"]), "cat > 'a b'");
});

test("a shell takes the words apart again, whatever they have", () => {
  const words = [
    "",
    "it's",
    "$(reboot)",
    "`x`",
    "a\nb",
    '"',
    "\\",
    "*",
    "~",
    "#",
    "é ü",
    "a=b;c",
    "!x",
    "\u0003reboot\r",
    "a\u001b[201~'\u007f",
    "\u009b\u202egpj.exe\u2069 %d\u0001",
  ];
  const script = `printf '%s\\0' ${quoteWords(words)}`;
  const output = execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" });
  assert.deepEqual(output.split("\0").slice(0, -1), words);
});

test("no character of a word is a key of the terminal that a line is pasted into", () => {
  const line = quoteWords(["oc", "exec", "sb-abc123", "--", "rm", "/a\u0003\rreboot\r\u202ex"]);
  assert.equal(
    line,
    `oc exec sb-abc123 -- rm '/a'"$(printf '\\003\\015')"'reboot'"$(printf '\\015\\342\\200\\256')"'x'`,
  );
});
