// @ts-nocheck: the Node.js of the guest runs it without a build.
// NODE_OPTIONS makes Node.js run this first. Node.js keeps random numbers in memory for randomUUID,
// randomInt and Math.random: each machine that is restored from that memory would draw the same.
// They are renewed when the machine's generation changes.
"use strict";

const crypto = require("node:crypto");
const { syncBuiltinESMExports } = require("node:module");

// Twice what Node.js draws in advance: a block of 128 UUIDs and one of 1024 integers.
const uuidsAhead = 256;
const integersAhead = 2048;

const generation = mapGeneration();
if (generation === undefined) drawNoUuidAhead();
else renewWith(generation);
syncBuiltinESMExports();

/** Undefined without an agent, and under Node's permission model, which loads no addons. */
function mapGeneration() {
  try {
    const mapped = require("./generation.node").mapGeneration();
    return mapped && new Uint32Array(mapped);
  } catch {
    return undefined;
  }
}

/** Replaces a function by one that keeps its name, its length and its `this`. */
function replace(owner, name, makeBody) {
  const original = owner[name];
  if (typeof original !== "function") return;
  const body = makeBody(original);
  for (const property of ["name", "length"]) {
    Object.defineProperty(body, property, { value: original[property], configurable: true });
  }
  owner[name] = body;
}

function replaceUuids(makeBody) {
  for (const owner of [crypto, crypto.webcrypto.constructor.prototype]) {
    for (const name of ["randomUUID", "randomUUIDv7"]) replace(owner, name, makeBody);
  }
}

function drawNoUuidAhead() {
  replaceUuids(
    (original) =>
      function (options) {
        return original.call(this, { ...options, disableEntropyCache: true });
      },
  );
}

function renewWith(generation) {
  const { randomUUID, randomInt } = crypto;
  const state = new Uint32Array(4);
  let [first, second] = generation;

  function renew() {
    [first, second] = generation;
    for (let count = 0; count < uuidsAhead; count += 1) randomUUID();
    for (let count = 0; count < integersAhead; count += 1) randomInt(2);
    crypto.randomFillSync(state);
  }
  const hasChanged = () => generation[0] !== first || generation[1] !== second;
  const renewing = (original) =>
    function (...parameters) {
      if (hasChanged()) renew();
      return original.apply(this, parameters);
    };

  /** xoshiro128**, whose high bits have the better quality. */
  function next() {
    const product = Math.imul(state[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = (state[3] << 11) | (state[3] >>> 21);
    return result;
  }

  crypto.randomFillSync(state);
  replaceUuids(renewing);
  replace(crypto, "randomInt", renewing);
  if (hasOwnSeed()) return;
  replace(Math, "random", () => () => {
    if (hasChanged()) renew();
    return (next() >>> 5) * 2 ** -27 + (next() >>> 6) * 2 ** -53;
  });
}

/** Whether the user chose a seed, and so expects the numbers that follow from it. */
function hasOwnSeed() {
  const isSeed = /(?:^|\s)--random[-_]seed\b/;
  return isSeed.test([...process.execArgv, process.env.NODE_OPTIONS].join(" "));
}
