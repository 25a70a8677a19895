import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededBytes } from "../testing/seeded-random.ts";
import { createKeyRing, KeyRingError } from "./key-ring.ts";
import { SecretValue } from "./secret-value.ts";
import { createVault, type EncryptionContext, VaultError } from "./vault.ts";

const orgId = "11111111-1111-4111-8111-111111111111";
const storeId = "22222222-2222-4222-8222-222222222222";
const context: EncryptionContext = { kind: "store-secret", orgId, storeId, name: "API_KEY" };
const keyOne = Buffer.alloc(32, 1);
const keyTwo = Buffer.alloc(32, 2);
const vault = createVault(createKeyRing([["v1", keyOne]]));

describe("Vault.decrypt", () => {
  const values = ["x", "sk-ant-…", "a\r\n\0b", "🔑".repeat(100), "v".repeat(64 * 1024)];
  for (const value of values) {
    test(`gives back a value of ${value.length} characters`, () => {
      const encrypted = vault.encrypt(new SecretValue(value), context);
      assert.equal(vault.decrypt(encrypted, context).reveal(), value);
      assert.equal(encrypted.keyVersion, "v1");
      if (value.length > 4) assert.ok(!JSON.stringify(encrypted).includes(value));
    });
  }

  test("refuses every single altered byte: nonce, tag and ciphertext", () => {
    const { encrypted, keyVersion } = vault.encrypt(new SecretValue("sk-12345"), context);
    const bytes = Buffer.from(encrypted, "base64");
    for (let index = 0; index < bytes.length; index += 1) {
      const altered = Buffer.from(bytes);
      altered.writeUInt8(altered.readUInt8(index) ^ 1, index);
      assert.throws(
        () => vault.decrypt({ encrypted: altered.toString("base64"), keyVersion }, context),
        VaultError,
      );
    }
  });

  const others: [string, EncryptionContext][] = [
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
      const encrypted = vault.encrypt(new SecretValue("sk-12345"), context);
      assert.throws(() => vault.decrypt(encrypted, other), VaultError);
    });
  }

  const former: EncryptionContext = {
    kind: "sandbox-former-secret",
    orgId,
    ownerId: storeId,
    name: "API_KEY",
    id: "1",
  };
  const moved: [string, EncryptionContext][] = [
    ["another org", { ...former, orgId: storeId }],
    ["another sandbox", { ...former, ownerId: orgId }],
    ["another name", { ...former, name: "OTHER" }],
    ["another row", { ...former, id: "2" }],
    ["a checkpoint", { ...former, kind: "checkpoint-former-secret" }],
    ["a value in use", { kind: "sandbox-secret", orgId, sandboxId: storeId, name: "API_KEY" }],
  ];
  for (const [what, other] of moved) {
    test(`refuses a former value that was moved to ${what}`, () => {
      const encrypted = vault.encrypt(new SecretValue("sk-12345"), former);
      assert.equal(vault.decrypt(encrypted, former).reveal(), "sk-12345");
      assert.throws(() => vault.decrypt(encrypted, other), VaultError);
    });
  }

  test("names that could be read two ways are different contexts", () => {
    const encrypted = vault.encrypt(new SecretValue("v"), {
      ...context,
      storeId: 'a","b',
      name: "c",
    });
    assert.throws(
      () => vault.decrypt(encrypted, { ...context, storeId: "a", name: 'b","c' }),
      VaultError,
    );
  });

  test("refuses another key, and names the secret and the key version", () => {
    const encrypted = createVault(createKeyRing([["v1", keyTwo]])).encrypt(
      new SecretValue("v"),
      context,
    );
    assert.throws(() => vault.decrypt(encrypted, context), /Secret API_KEY of store 2222.* key v1/);
  });

  test("refuses a version that the ring does not have, naming those that it has", () => {
    const { encrypted } = vault.encrypt(new SecretValue("v"), context);
    assert.throws(
      () => vault.decrypt({ encrypted, keyVersion: "v9" }, context),
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
    const { encrypted } = ring.encrypt(new SecretValue("v"), context);
    assert.throws(() => ring.decrypt({ encrypted, keyVersion: "v1" }, context), VaultError);
  });

  test("decrypts old versions and encrypts with the newest after a key was added", () => {
    const old = vault.encrypt(new SecretValue("old"), context);
    const rotated = createVault(
      createKeyRing([
        ["v1", keyOne],
        ["v2", keyTwo],
      ]),
    );
    assert.equal(rotated.decrypt(old, context).reveal(), "old");
    assert.equal(rotated.encrypt(new SecretValue("new"), context).keyVersion, "v2");
  });

  test("fuzz: arbitrary bytes give a VaultError and nothing else", () => {
    for (let round = 0; round < 500; round += 1) {
      const encrypted = seededBytes(`vault ${round}`, round % 80).toString("base64");
      assert.throws(() => vault.decrypt({ encrypted, keyVersion: "v1" }, context), VaultError);
    }
  });
});

describe("Vault.encrypt", () => {
  test("never repeats itself: each nonce is new", () => {
    const encrypted = Array.from({ length: 200 }, () =>
      vault.encrypt(new SecretValue("v"), context),
    );
    assert.equal(new Set(encrypted.map((value) => value.encrypted.slice(0, 16))).size, 200);
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
  const encrypted = vault.encrypt(new SecretValue("sk-12345"), context);

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
      assert.equal(
        createVault(createKeyRing(keys)).decrypt(encrypted, context).reveal(),
        "sk-12345",
      );
    }
  });

  test("and with no other", () =>
    assert.throws(
      () => createVault(createKeyRing([["k2", keyTwo]])).decrypt(encrypted, context),
      VaultError,
    ));

  test("one with an id is decrypted with that key alone, and its absence is named", () => {
    const named = createVault(createKeyRing([["k1", keyOne]])).encrypt(
      new SecretValue("v"),
      context,
    );
    const others = createVault(createKeyRing([["k2", keyTwo]]));
    assert.throws(() => others.decrypt(named, context), KeyRingError);
    assert.throws(() => others.decrypt({ ...named, keyVersion: "k2" }, context), VaultError);
  });
});
