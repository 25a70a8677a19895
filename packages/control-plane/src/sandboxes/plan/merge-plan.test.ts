import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { environmentBytes, limits, WireError } from "@opencomputer/protocol/api";
import { sealedToken, serviceLimits } from "@opencomputer/protocol/wire";
import type { OpenLayers } from "../../secret-layers/open-layers.ts";
import type { OpenSecret } from "../../secret-layers/secret-layer.ts";
import { SecretValue } from "../../vault/secret-value.ts";
import { mergePlan } from "./merge-plan.ts";

const secret = (name: string, value: string, token: string | null = null): OpenSecret => ({
  name,
  kind: "value",
  value: new SecretValue(value),
  allowedHosts: [`${value}.example.com`],
  substituteIn: [`header:${value}`],
  sourceStoreId: value,
  token,
  revokedAt: null,
});
const layer = (...secrets: OpenSecret[]) => ({ storeId: null, egressAllowlist: [], secrets });
const plan = ({
  inheritedEnvs = {},
  ownEnvs = {},
  ...layers
}: Partial<Parameters<typeof mergePlan>[0] & OpenLayers>) =>
  mergePlan(
    { inheritedEnvs, ownEnvs },
    { base: layer(), top: layer(), inheritedFormerSecrets: [], ...layers },
  );

describe("mergePlan", () => {
  test("each new secret gets a token", () => {
    const { secrets } = plan({ top: layer(secret("A", "a"), secret("B", "b")) });
    const tokens = secrets.map(({ token }) => token);
    assert.equal(new Set(tokens).size, 2);
    for (const token of tokens) assert.match(token, sealedToken.pattern);
  });

  test("the parent's token has the fork's value, hosts, placements and store", () => {
    const { secrets } = plan({
      base: layer(secret("A", "parent", "token-a"), secret("B", "parent", "token-b")),
      top: layer(secret("A", "fork")),
    });
    const shown = secrets.map(({ name, token, value, sourceStoreId, ...use }) => [
      ...[name, token, value.reveal(), sourceStoreId],
      ...[...use.allowedHosts, ...use.substituteIn],
    ]);
    assert.deepEqual(shown, [
      ["A", "token-a", "fork", "fork", "fork.example.com", "header:fork"],
      ["B", "token-b", "parent", "parent", "parent.example.com", "header:parent"],
    ]);
  });

  test("a parent's value that the fork overrides is a former one, as it was; no other is", () => {
    const { formerSecrets } = plan({
      base: layer(
        secret("A", "parent", "token-a"),
        secret("B", "parent", "token-b"),
        secret("C", "same", "token-c"),
        secret("D", "never had"),
      ),
      top: layer(secret("A", "fork"), secret("C", "same"), secret("D", "fork")),
    });
    const shown = formerSecrets.map(({ name, token, value, allowedHosts, substituteIn }) => [
      ...[name, token, value.reveal()],
      ...[...allowedHosts, ...substituteIn],
    ]);
    assert.deepEqual(shown, [["A", "token-a", "parent", "parent.example.com", "header:parent"]]);
  });

  test("a parent's value is a former one also when only hosts or placements differ", () => {
    const parent = secret("A", "v", "token-a");
    for (const change of [{ allowedHosts: [] }, { substituteIn: ["header"] }]) {
      const top = layer({ ...secret("A", "v"), ...change });
      assert.equal(plan({ base: layer(parent), top }).formerSecrets.length, 1);
    }
  });

  test("a parent's former values are the fork's too, unless they have expired", () => {
    const ago = (seconds: number) => new Date(Date.now() - seconds * 1000);
    const former = (value: string, retiredAt: Date) => ({
      ...{ ...secret("A", value), token: "token-a", retiredAt },
    });
    const { formerSecrets } = plan({
      base: layer(secret("A", "parent", "token-a")),
      top: layer(secret("A", "fork")),
      inheritedFormerSecrets: [
        former("older", ago(60)),
        former("expired", ago(serviceLimits.formerValueSecondsMax + 1)),
      ],
    });
    assert.deepEqual(
      formerSecrets.map(({ value }) => value.reveal()),
      ["parent", "older"],
    );
  });

  test("the caller's envs hide a new secret, of which nothing is kept", () => {
    const { secrets, envs } = plan({ top: layer(secret("A", "a")), ownEnvs: { A: "mine" } });
    assert.deepEqual([secrets, envs], [[], { A: "mine" }]);
  });

  test("the caller's envs hide an inherited secret, whose token continues to work", () => {
    const { secrets, envs } = plan({ base: layer(secret("A", "a", "t")), ownEnvs: { A: "mine" } });
    assert.deepEqual([secrets.map(({ token }) => token), envs], [["t"], { A: "mine" }]);
  });

  test("an inherited env wins over an inherited secret, and loses to one of the fork's store", () => {
    const inheritedEnvs = { A: "plain", B: "plain" };
    const base = layer(secret("A", "parent", "token-a"));
    assert.deepEqual(plan({ base, inheritedEnvs }).envs, inheritedEnvs);
    const top = layer(secret("A", "fork"), secret("B", "fork"));
    const merged = plan({ base, top, inheritedEnvs });
    assert.deepEqual(merged.envs, {});
    assert.equal(merged.secrets[0]?.token, "token-a");
    assert.equal(merged.secrets[0]?.value.reveal(), "fork");
  });

  test("an image's env loses to every secret of a create, and both to the caller's envs", () => {
    const inheritedEnvs = { A: "image", B: "image", C: "image" };
    const base = layer(secret("A", "project"));
    const top = layer(secret("B", "store"));
    assert.deepEqual(plan({ base, top, inheritedEnvs, ownEnvs: { B: "mine" } }).envs, {
      B: "mine",
      C: "image",
    });
  });

  test("the maximum of variables is accepted, one more is refused", () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, ""]));
    const top = layer(secret("A", "a"));
    const max = limits.environmentVariablesMax;
    assert.equal(plan({ top, ownEnvs: many(max - 1) }).secrets.length, 1);
    assert.throws(
      () => plan({ top, ownEnvs: many(max) }),
      (error) => error instanceof WireError && error.code === "limit_exceeded",
    );
    assert.equal(plan({ top, ownEnvs: { ...many(max - 1), A: "hides it" } }).secrets.length, 0);
  });

  test("variables of every layer share one limit in bytes, and the token of a secret counts", () => {
    const max = limits.environmentBytesTotalMax;
    const half = { H: "h".repeat(max / 2 - "H=\0".length) };
    const rest = (byteCount: number) => ({ R: "r".repeat(byteCount - "R=\0".length) });
    const layers: Parameters<typeof plan>[0][] = [
      { inheritedEnvs: half },
      { inheritedEnvs: half, base: layer(secret("A", "project")) },
      { inheritedEnvs: half, top: layer(secret("A", "store")) },
      { inheritedEnvs: half, base: layer(secret("A", "parent", "osb_token_of_the_parent")) },
    ];
    for (const given of layers) {
      const tokens = plan(given).secrets.map(({ name, token }) => ({ [name]: token }));
      const taken = environmentBytes({ ...half, ...Object.assign({}, ...tokens) });
      assert.ok(plan({ ...given, ownEnvs: rest(max - taken) }));
      assert.throws(
        () => plan({ ...given, ownEnvs: rest(max - taken + 1) }),
        (error) =>
          error instanceof WireError &&
          error.code === "limit_exceeded" &&
          error.message.includes(`at most ${max} bytes`) &&
          error.message.includes(`found ${max + 1}`),
      );
    }
  });
});
