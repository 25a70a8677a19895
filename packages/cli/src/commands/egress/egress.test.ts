import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

describe("oc egress and oc explain", () => {
  let oc: Oc;
  let id: string;
  before(async () => {
    oc = await startOc();
    id = (await oc.done(["create"])).trim();
  });
  after(() => oc.end());

  test("prints the exchanges, the oldest first, with what became of the secrets", async () => {
    const [head, first, second, ...rest] = (await oc.done(["egress", id])).split("\n");
    assert.match(head ?? "", /^TIME +DECISION +STATUS +REQUEST +BYTES +SECRETS +REASON$/);
    assert.match(
      first ?? "",
      /^2026-01-02T03:04:05\.678Z +allowed +200 +POST https:\/\/api\.example\.com\/v1 +10 B \/ 2\.0 KB +KEY sent in header authorization; OTHER withheld in body \(host\); KEY redacted 2x$/,
    );
    assert.match(
      second ?? "",
      /refused +- +dns:\/\/evil\.example\.org +0 B \/ 0 B +- +not on the list$/,
    );
    assert.deepEqual(rest, [""]);
    const json: { cursor: string }[] = JSON.parse(await oc.done(["egress", id, "--json"]));
    assert.deepEqual(
      json.map(({ cursor }) => cursor),
      ["1", "2"],
    );
  });

  test("chooses refused ones, a host and the newest", async () => {
    const cursors = async (...flags: string[]) => {
      const entries: { cursor: string }[] = JSON.parse(
        await oc.done(["egress", id, "--json", ...flags]),
      );
      return entries.map(({ cursor }) => cursor);
    };
    assert.deepEqual(await cursors("--refused"), ["2"]);
    assert.deepEqual(await cursors("--host", "api.example.com"), ["1"]);
    assert.deepEqual(await cursors("--limit", "1"), ["2"]);
    assert.equal((await oc.run(["egress", "sb-none"])).exitCode, 3);
  });

  for (const json of [false, true]) {
    test(`--follow prints${json ? " lines of JSON for" : ""} what comes, until an interrupt`, async () => {
      const signals = new EventEmitter();
      let isInterrupted = false;
      oc.server.watch((line) => {
        if (isInterrupted || !line.includes("cursor=1")) return;
        isInterrupted = true;
        setTimeout(() => signals.emit("SIGINT"), 100);
      });
      const flags = ["--follow", "--host", "api.example.com", ...(json ? ["--json"] : [])];
      const { stdout, exitCode } = await oc.run(["egress", id, ...flags], { signals });
      assert.equal(exitCode, 0);
      const [line = "", ...others] = stdout.trimEnd().split("\n");
      assert.deepEqual(others, []);
      if (json) assert.equal(JSON.parse(line).cursor, "1");
      else assert.match(line, /^\S+ {2}allowed {2}200 {2}POST https:/);
    });
  }

  test("--suggest prints the lists that the log needs, and is used alone", async () => {
    const text = await oc.done(["egress", id, "--suggest"]);
    assert.equal(
      text,
      [
        "From 2 exchanges since 2026-01-02T03:04:05.678Z",
        "",
        ...["Egress allowlist:", "  • api.example.com", ""],
        ...["Per-secret allowed hosts:", "  KEY:", "    • api.example.com", ""],
        ...["Refused, and not in the lists above:", "  • evil.example.org (1x)", ""],
        "Allowed but never reached, and not in the lists above:",
        ...["  • typo.example.com (3x)", ""],
      ].join("\n"),
    );
    const json = JSON.parse(await oc.done(["egress", id, "--suggest", "--json"]));
    assert.deepEqual(json.egressAllowlist, ["api.example.com"]);
    const both = await oc.run(["egress", id, "--suggest", "--follow"]);
    assert.deepEqual([both.exitCode, /use it without --follow/.test(both.stderr)], [1, true]);
  });

  test("explain prints the rule and what would become of each secret", async () => {
    const text = await oc.done(["explain", id, "https://api.example.com/v1", "--method", "POST"]);
    assert.equal(
      text,
      [
        "Allowed: https://api.example.com:443",
        "Rule: allowlist_entry",
        "Reason: the egress allowlist has *.example.com",
        "",
        "Secrets:",
        "  KEY: substituted in header, body",
        "  OTHER: withheld (host); its hosts: other.example.com",
        "",
      ].join("\n"),
    );
    const json = JSON.parse(await oc.done(["explain", id, "https://api.example.com/", "--json"]));
    assert.equal(json.rule, "allowlist_entry");
  });
});
