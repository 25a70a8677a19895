import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { guessBits } from "./guess-bits.ts";
import { searchedParts } from "./searched-parts.ts";

/** Bytes that look random and are the same in each run (xorshift32). */
function random(seed: string, bytes: number): Buffer {
  let state = [...seed].reduce((sum, character) => sum * 31 + character.charCodeAt(0), 7) | 1;
  return Buffer.from(
    Array.from({ length: bytes }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 11) & 0xff;
    }),
  );
}

describe("searchedParts: what can be guessed has none", () => {
  const guessable = [
    "",
    "12345678",
    "hunter2",
    "20261128",
    "1234567890123456",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "correct horse battery staple",
    "CorrectHorseBatteryStaple2026",
    "qwertyuiopasdfghjklzxcvbnm",
    "abcabcabcabcabcabcabcabcabcabcabcabc",
    "postgres://app:hunter2@db/x",
    "postgres://application:password@database.internal.example.com:5432/production",
    "https://hooks.example.com/services/team/channel?name=value",
    "2026-11-28T21:13:38.000Z",
    "sk-ant-...",
    "username:password",
    '{"type":"service_account","project":"production"}',
    "+49 151 23456789",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
    "zaq1xsw2cde3vfr4bgt5",
    "a1b2c3d4e5f6g7h8i9j0k1l2",
    "C0rr3ctH0rs3B@tt3rySt4pl3",
    "S3cr3tP4ssw0rdF0rPr0duct10n",
    "l33t_h4x0r_p455w0rd_2024",
    "\u0441\u043b\u043e\u0432\u043e ".repeat(12),
    "\u4e2d\u6587\u5bc6\u7801".repeat(8),
  ];
  for (const value of guessable) {
    test(JSON.stringify(value), () => assert.deepEqual(searchedParts(value), []));
  }
});

describe("searchedParts: what cannot be guessed is searched for", () => {
  const hex = random("hex", 20).toString("hex");
  const base64 = random("base64", 32).toString("base64");
  const url = random("url", 30).toString("base64url");
  const whole = [
    hex,
    base64,
    url,
    `sk-ant-api03-${url}`,
    `ghp_${random("gh", 27).toString("base64url")}`,
    random("letters", 40).toString("hex").replace(/[0-9]/g, "g"),
    "7f3c9a1bd24e6080f",
    "3fa85f64-5717-4562-b3fc-2c963f66afa6",
  ];
  for (const value of whole) {
    test(value.slice(0, 24), () => assert.deepEqual(searchedParts(value), [value]));
  }
  const byComponent: [string, string, string[]][] = [
    ["a DSN by its password", `postgres://app:${url}@db.example.com:5432/production`, [url]],
    ["a webhook by its path", `https://hooks.example.com/services/T0/B0/${url}`, [url]],
    ["id:secret by both", `${hex}:${url}`, [hex, url]],
    ["user:secret by the secret", `user:${url}`, [url]],
    [
      "a header line as a whole only when no part will do",
      "deploy: 7f3c9a1bd24e6080f",
      ["7f3c9a1bd24e6080f"],
    ],
    ["a connection string", `Endpoint=https://x.example/;AccountKey=${hex};Name=x`, [hex]],
    ["JSON by its strings", JSON.stringify({ a: "word", b: { c: [hex] } }), [hex]],
    ["white space around it", ` ${hex}\n`, [hex]],
    ["several lines", `first ${hex}\nword\n${url}\n`, [`first ${hex}`, url]],
    [
      "a percent-encoded password as written and as read",
      `amqp://a:${hex}%2F@h/v`,
      [`${hex}%2F`, `${hex}/`],
    ],
  ];
  for (const [name, value, parts] of byComponent) {
    test(name, () => assert.deepEqual(searchedParts(value).sort(), [...parts].sort()));
  }

  test("PEM by line, without its armor", () => {
    const lines =
      random("pem", 96)
        .toString("base64")
        .match(/.{1,64}/g) ?? [];
    const pem = `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
    const parts = searchedParts(pem);
    assert.ok(parts.length >= 1);
    for (const part of parts) assert.doesNotMatch(part, /PRIVATE|\n/);
    assert.deepEqual(searchedParts(JSON.stringify({ private_key: pem })), parts);
  });

  test("values of its own size are handled in linear time", () => {
    const value = random("long", 48 * 1024).toString("base64");
    assert.ok(searchedParts(value).length > 100);
    assert.deepEqual(searchedParts("[".repeat(64 * 1024)), []);
    assert.deepEqual(searchedParts("a:".repeat(32 * 1024)), []);
  });
});

test("of random keys of usual kinds hardly any is taken for one that can be guessed", () => {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const kinds: Record<string, string> = {
    alphanumeric: `${letters}${letters.toUpperCase()}0123456789`,
    lowercase: letters,
    base32: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    hexadecimal: "0123456789abcdef",
    digits: "0123456789",
    punctuated: `${letters}${letters.toUpperCase()}0123456789!$*()^{}[]<>`,
  };
  const lengths: Record<string, number> = { digits: 30, hexadecimal: 20 };
  for (const [kind, alphabet] of Object.entries(kinds)) {
    let missed = 0;
    for (let round = 0; round < 300; round += 1) {
      const bytes = random(`${kind} ${round}`, lengths[kind] ?? 24);
      const key = [...bytes].map((byte) => alphabet[byte % alphabet.length]).join("");
      if (searchedParts(key).length === 0) missed += 1;
    }
    assert.ok(missed <= 9, `${kind}: ${missed} of 300 keys are not searched for`);
  }
});

describe("searchedParts: long values in pieces", () => {
  test("pieces overlap, cover all of it, and keep characters whole", () => {
    const value = random("pieces", 3000).toString("base64").replaceAll("a", "\u{1f511}");
    const pieces = searchedParts(value);
    let covered = 0;
    for (const piece of pieces) {
      assert.ok(piece.length <= 512);
      assert.doesNotMatch(piece, /\p{Surrogate}/u);
      const at = value.indexOf(piece);
      assert.ok(at === 0 || (at < covered && at > covered - 20));
      covered = at + piece.length;
    }
    assert.equal(covered, value.length);
  });

  test("a piece that can be guessed is left out", () => {
    const value = `${random("head", 30).toString("base64url")}${"a".repeat(2000)}`;
    assert.equal(searchedParts(value).length, 1);
  });
});

test("guessBits grows with what is appended and never with a repetition", () => {
  const hex = random("bits", 16).toString("hex");
  assert.ok(guessBits(hex) >= 120);
  assert.equal(guessBits(`${hex} ${hex}`) < guessBits(hex) + 12, true);
});

describe("ids of AWS access keys", () => {
  const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

  test("each is searched for", () => {
    for (let round = 0; round < 300; round += 1) {
      const letters = [...random(`id ${round}`, 16)].map((byte) => base32[byte % 32]).join("");
      for (const id of [`AKIA${letters}`, `ASIA${letters}`]) {
        assert.deepEqual(searchedParts(id), [id]);
        assert.deepEqual(searchedParts(JSON.stringify({ accessKeyId: id })), [id]);
      }
    }
  });

  for (const text of ["AKIATHEREWASTHENAT", "AKIATHEREWASTHENATIONS", "akiatherewasthenatio"]) {
    test(`${text} has none`, () => assert.deepEqual(searchedParts(text), []));
  }
});
