import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { type ImageStep, imageStepSchema } from "@opencomputer/protocol/api";
import { seededBytes } from "../testing/seeded-random.ts";
import { type BuildSources, quote } from "./build-sources.ts";
import { type BuildState, initialBuildState, planStep } from "./plan-step.ts";

const sources = { aptMirror: undefined, pipIndexUrl: undefined, proxy: undefined };
const plan = (
  step: unknown,
  state: Partial<BuildState> = {},
  changed: Partial<BuildSources> = {},
) =>
  planStep(
    imageStepSchema.parse(step) satisfies ImageStep,
    { ...initialBuildState, ...state },
    {
      ...sources,
      ...changed,
    },
  );
const apt = (...packages: string[]) => ({ type: "apt_install", args: { packages } });
const scriptOf = (...parameters: Parameters<typeof plan>) => {
  const scripts = plan(...parameters).actions.flatMap((action) =>
    action.kind === "run" ? [action.script] : [],
  );
  return scripts.join("\n");
};
const assertBash = (script: string) => execFileSync("bash", ["-n", "-c", script]);

describe("planStep()", () => {
  test("updates apt's lists once, and again when sources may have changed", () => {
    const first = plan(apt("git"));
    assert.match(scriptOf(apt("git")), /apt-get \$options update/);
    assert.doesNotMatch(scriptOf(apt("git"), first.next), /update/);
    const pip = plan({ type: "pip_install", args: { packages: ["x"] } }, first.next);
    assert.doesNotMatch(scriptOf(apt("git"), pip.next), /update/);
    for (const step of [
      { type: "run", args: { commands: ["true"] } },
      { type: "add_file", args: { path: "/f", content: "", encoding: "base64" } },
      { type: "add_dir", args: { path: "/d", files: [] } },
    ]) {
      assert.match(scriptOf(apt("git"), plan(step, first.next).next), /update/, step.type);
    }
  });

  test("installs from the operator's mirror, a URL or a line of sources.list", () => {
    const url = scriptOf(apt("git"), {}, { aptMirror: "http://mirror.test/debian" });
    assert.match(
      url,
      /sed 's\|http:\/\/deb\.debian\.org\/debian\|http:\/\/mirror\.test\/debian\|'/,
    );
    const line = scriptOf(apt("git"), {}, { aptMirror: "deb [trusted=yes] http://m.test/ ./" });
    assert.match(line, /'deb \[trusted=yes\] http:\/\/m\.test\/ \.\/' > \S+mirror\.list/);
    for (const script of [url, line]) {
      assert.match(script, /options="-o Dir::Etc::SourceParts=/);
      assertBash(script);
    }
  });

  test("collects variables and the working directory; relative paths start there", () => {
    const env = plan({ type: "env", args: { vars: { A: "1", B: "1" } } });
    const more = plan({ type: "env", args: { vars: { B: "2" } } }, env.next);
    assert.deepEqual(more.next.envs, { A: "1", B: "2" });
    const at = (path: string, state: Partial<BuildState> = {}) =>
      plan({ type: "workdir", args: { path } }, state).next.workingDirectory;
    assert.equal(at("project"), "/home/sandbox/project");
    assert.equal(at("/srv/app/"), "/srv/app");
    assert.equal(at("sub", { workingDirectory: "/srv" }), "/srv/sub");
    assert.equal(at("../../../..", { workingDirectory: "/srv" }), "/");
    const file = { type: "add_file", args: { path: "f", content: "", encoding: "base64" } };
    assert.equal(plan(file, { workingDirectory: "/srv" }).title, "add_file /srv/f");
  });

  test("logs what it does, on one line that is not too long, and no value", () => {
    assert.equal(plan(apt("git", "curl")).title, "apt_install git curl");
    const env = plan({ type: "env", args: { vars: { A: "value" } } });
    assert.equal(env.title, "env A");
    const long = plan({ type: "run", args: { commands: [`a\nb${"c".repeat(500)}`] } });
    assert.match(long.title, /^run a bc+…$/);
    assert.ok(long.title.length <= 201);
  });

  test("makes scripts that bash parses, with any text in the step", () => {
    const hostile = `a'b"c\`d$(touch /tmp/e)\n;f`;
    for (const step of [
      { type: "workdir", args: { path: hostile } },
      { type: "add_file", args: { path: `/${hostile}`, content: "", encoding: "base64" } },
      { type: "add_dir", args: { path: hostile, files: [] } },
      { type: "pip_install", args: { packages: [`a'$(touch)`] } },
      apt(`a'$(touch)`),
    ]) {
      assertBash(scriptOf(step));
    }
  });
});

test("quote() is one word of the shell with exactly its text", () => {
  const alphabet = [..."ab'\"\\$`!*? \n;&|<>(){}[]#~=-", "ü", "\u{1F600}"];
  for (let round = 0; round < 40; round += 1) {
    const bytes = [...seededBytes(`quote ${round}`, round % 12)];
    const text = bytes.map((byte) => alphabet[byte % alphabet.length]).join("");
    assert.equal(execFileSync("sh", ["-c", `printf %s ${quote(text)}`]).toString(), text);
  }
});
