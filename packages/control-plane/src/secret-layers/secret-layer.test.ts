import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { layerSecrets } from "./secret-layer.ts";

interface Secret {
  name: string;
  value: string;
  allowedHosts: string[];
  substituteIn: string[];
}
const secret = (name: string, value: string, ...allowedHosts: string[]): Secret => ({
  name,
  value,
  allowedHosts,
  substituteIn: ["header", "body"],
});
const narrowed = (name: string, value: string, ...substituteIn: string[]): Secret => ({
  ...secret(name, value),
  substituteIn,
});
const layer = (egressAllowlist: string[], ...secrets: Secret[]) => ({ egressAllowlist, secrets });

const cases: [
  rule: string,
  base: ReturnType<typeof layer>,
  top: ReturnType<typeof layer>,
  merged: ReturnType<typeof layer>,
][] = [
  [
    "both stores' secrets are available",
    layer([], secret("A", "a")),
    layer([], secret("B", "b")),
    layer([], secret("A", "a"), secret("B", "b")),
  ],
  [
    "on a name collision the top wins",
    layer([], secret("A", "old")),
    layer([], secret("A", "new")),
    layer([], secret("A", "new")),
  ],
  [
    "host limits follow the winning secret",
    layer([], secret("A", "old", "old.example.com")),
    layer([], secret("A", "new", "new.example.com")),
    layer([], secret("A", "new", "new.example.com")),
  ],
  [
    "a winner without host limits has none, even when the loser had some",
    layer([], secret("A", "old", "old.example.com")),
    layer([], secret("A", "new")),
    layer([], secret("A", "new")),
  ],
  [
    "placements follow the winning secret, narrower or wider",
    layer([], narrowed("A", "old", "header"), secret("B", "old")),
    layer([], secret("A", "new"), narrowed("B", "new", "query")),
    layer([], secret("A", "new"), narrowed("B", "new", "query")),
  ],
  [
    "allowlists are joined, without repetition",
    layer(["a.com", "b.com"]),
    layer(["b.com", "*.c.com"]),
    layer(["a.com", "b.com", "*.c.com"]),
  ],
  ["an empty base list adds nothing", layer([]), layer(["a.com"]), layer(["a.com"])],
  ["an empty top list adds nothing", layer(["a.com"]), layer([]), layer(["a.com"])],
  ["only two empty lists allow all hosts", layer([]), layer([]), layer([])],
];

describe("layerSecrets", () => {
  for (const [rule, base, top, merged] of cases) {
    test(rule, () => assert.deepEqual(layerSecrets(base, top), merged));
  }

  test("a merged result is a base like any other", () => {
    const first = layerSecrets(
      layer(["a.com"], secret("A", "1"), secret("B", "1")),
      layer(["b.com"], secret("B", "2")),
    );
    assert.deepEqual(
      layerSecrets(first, layer(["c.com"], secret("A", "3"))),
      layer(["a.com", "b.com", "c.com"], secret("A", "3"), secret("B", "2")),
    );
  });

  test("changes neither layer", () => {
    const base = Object.freeze(layer(["a.com"], secret("A", "1")));
    const top = Object.freeze(layer(["b.com"], secret("A", "2")));
    layerSecrets(base, top);
    assert.deepEqual(base, layer(["a.com"], secret("A", "1")));
    assert.deepEqual(top, layer(["b.com"], secret("A", "2")));
  });
});
