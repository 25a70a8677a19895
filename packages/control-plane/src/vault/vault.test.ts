import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededBytes } from "../testing/seeded-random.ts";
import { createKeyRing, KeyRingError } from "./key-ring.ts";
import { SecretValue } from "./secret-value.ts";
import { createVault, type SealContext, VaultError } from "./vault.ts";

const orgId = "11111111-1111-4111-8111-111111111111";
const storeId = "22222222-2222-4222-8222-222222222222";
const context: SealContext = { kind: "store-secret", orgId, storeId, name: "API_KEY" };
const keyOne = Buffer.alloc(32, 1);
const keyTwo = Buffer.alloc(32, 2);
const vault = createVault(createKeyRing([["v1", keyOne]]));

describe("Vault.open", () => {
  const values = ["x", "sk-ant-…", "a\r\n\0b", "🔑".repeat(100), "v".repeat(64 * 1024)];
  for (const value of values) {
    test(`gives back a value of ${value.length} characters`, () => {
      const sealed = vault.seal(new SecretValue(value), context);
      assert.equal(vault.open(sealed, context).reveal(), value);
      assert.equal(sealed.keyVersion, "v1");
      if (value.length > 4) assert.ok(!JSON.stringify(sealed).includes(value));
    });
  }

  test("refuses every single altered octet: nonce, tag and ciphertext", () => {
    const { sealed, keyVersion } = vault.seal(new SecretValue("sk-12345"), context);
    const octets = Buffer.from(sealed, "base64");
    for (let index = 0; index < octets.length; index += 1) {
      const altered = Buffer.from(octets);
      altered.writeUInt8(altered.readUInt8(index) ^ 1, index);
      assert.throws(
        () => vault.open({ sealed: altered.toString("base64"), keyVersion }, context),
        VaultError,
      );
    }
  });

  const others: [string, SealContext][] = [
    ["another org", { ...context, orgId: storeId }],
    ["another store", { ...context, storeId: orgId }],
    ["another name", { ...context, name: "OTHER" }],
    ["a sandbox", { kind: "sandbox-secret", orgId, sandboxId: storeId, name: "API_KEY" }],
    [
      "a former value of a sandbox",
      { kind: "sandbox-former-secret", orgId, ownerId: storeId, name: "API_KEY", id: storeId },
    ],
    ["the authority's key", { kind: "certificate-authority-key", shortId: "0" }],
    ["the key check", { kind: "key-check" }],
  ];
  for (const [what, other] of others) {
    test(`refuses a value that was moved to ${what}`, () => {
      const sealed = vault.seal(new SecretValue("sk-12345"), context);
      assert.throws(() => vault.open(sealed, other), VaultError);
    });
  }

  const former: SealContext = {
    kind: "sandbox-former-secret",
    orgId,
    ownerId: storeId,
    name: "API_KEY",
    id: "1",
  };
  const moved: [string, SealContext][] = [
    ["another org", { ...former, orgId: storeId }],
    ["another sandbox", { ...former, ownerId: orgId }],
    ["another name", { ...former, name: "OTHER" }],
    ["another row", { ...former, id: "2" }],
    ["a checkpoint", { ...former, kind: "checkpoint-former-secret" }],
    ["a value in use", { kind: "sandbox-secret", orgId, sandboxId: storeId, name: "API_KEY" }],
  ];
  for (const [what, other] of moved) {
    test(`refuses a former value that was moved to ${what}`, () => {
      const sealed = vault.seal(new SecretValue("sk-12345"), former);
      assert.equal(vault.open(sealed, former).reveal(), "sk-12345");
      assert.throws(() => vault.open(sealed, other), VaultError);
    });
  }

  test("names that could be read two ways are different contexts", () => {
    const sealed = vault.seal(new SecretValue("v"), { ...context, storeId: 'a","b', name: "c" });
    assert.throws(
      () => vault.open(sealed, { ...context, storeId: "a", name: 'b","c' }),
      VaultError,
    );
  });

  test("refuses another key, and says which secret and which key version", () => {
    const sealed = createVault(createKeyRing([["v1", keyTwo]])).seal(new SecretValue("v"), context);
    assert.throws(() => vault.open(sealed, context), /Secret API_KEY of store 2222.* key v1/);
  });

  test("refuses a version that the ring does not have, naming those that it has", () => {
    const { sealed } = vault.seal(new SecretValue("v"), context);
    assert.throws(
      () => vault.open({ sealed, keyVersion: "v9" }, context),
      (error) => error instanceof KeyRingError && /v9.*it has v1/.test(error.message),
    );
  });

  test("refuses a version that was changed to another key of the ring", () => {
    const ring = createVault(
      createKeyRing([
        ["v1", keyOne],
        ["v2", keyOne],
      ]),
    );
    const { sealed } = ring.seal(new SecretValue("v"), context);
    assert.throws(() => ring.open({ sealed, keyVersion: "v1" }, context), VaultError);
  });

  test("opens old versions and seals with the newest after a key was added", () => {
    const old = vault.seal(new SecretValue("old"), context);
    const rotated = createVault(
      createKeyRing([
        ["v1", keyOne],
        ["v2", keyTwo],
      ]),
    );
    assert.equal(rotated.open(old, context).reveal(), "old");
    assert.equal(rotated.seal(new SecretValue("new"), context).keyVersion, "v2");
  });

  test("fuzz: arbitrary octets give a VaultError and nothing else", () => {
    for (let round = 0; round < 500; round += 1) {
      const sealed = seededBytes(`vault ${round}`, round % 80).toString("base64");
      assert.throws(() => vault.open({ sealed, keyVersion: "v1" }, context), VaultError);
    }
  });
});

describe("Vault.seal", () => {
  test("never repeats itself: each nonce is new", () => {
    const sealed = Array.from({ length: 200 }, () => vault.seal(new SecretValue("v"), context));
    assert.equal(new Set(sealed.map((value) => value.sealed.slice(0, 16))).size, 200);
  });
});

describe("createKeyRing", () => {
  test("refuses a key of another length and an empty ring", () => {
    assert.throws(() => createKeyRing([["v1", Buffer.alloc(31)]]), /32 bytes, got 31/);
    assert.throws(() => createKeyRing([]), KeyRingError);
  });

  test("derives a different key for each purpose and version", () => {
    const ring = createKeyRing([
      ["v1", keyOne],
      ["v2", keyTwo],
    ]);
    const derived = [
      ring.derive("v1", "a"),
      ring.derive("v1", "b"),
      ring.derive("v2", "a"),
      keyOne,
    ].map((key) => key.toString("hex"));
    assert.equal(new Set(derived).size, derived.length);
  });
});

describe("a value of before keys had ids", () => {
  const sealed = vault.seal(new SecretValue("sk-12345"), context);

  test("is decrypted with whichever key of the ring it is under", () => {
    for (const keys of [
      [["k1", keyOne]],
      [
        ["k1", keyOne],
        ["k2", keyTwo],
      ],
      [
        ["k2", keyTwo],
        ["k1", keyOne],
      ],
    ] as const) {
      assert.equal(createVault(createKeyRing(keys)).open(sealed, context).reveal(), "sk-12345");
    }
  });

  test("and with no other", () =>
    assert.throws(
      () => createVault(createKeyRing([["k2", keyTwo]])).open(sealed, context),
      VaultError,
    ));

  test("one with an id is decrypted with that key alone, and its absence is named", () => {
    const named = createVault(createKeyRing([["k1", keyOne]])).seal(new SecretValue("v"), context);
    const others = createVault(createKeyRing([["k2", keyTwo]]));
    assert.throws(() => others.open(named, context), KeyRingError);
    assert.throws(() => others.open({ ...named, keyVersion: "k2" }, context), VaultError);
  });
});
