// @ts-check
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findObstacle } from "./preflight.mjs";

/** @type {import("./preflight.mjs").Machine} */
const goodMachine = {
  platform: "linux",
  architecture: "x64",
  nodeVersion: "20.18.1",
  userId: 0,
  hasTunDevice: true,
  hasCommand: () => true,
  freeBytes: () => 10 * 1024 ** 3,
};
const needs = { needsRoot: true, diskNeeds: [{ path: "/data", bytes: 6 * 1024 ** 3 }] };

describe("findObstacle", () => {
  test("finds nothing on a machine that has it all", () => {
    assert.equal(findObstacle(goodMachine, needs), undefined);
  });

  /** @type {[string, Partial<import("./preflight.mjs").Machine>, RegExp][]} */
  const obstacles = [
    ["an old Node", { nodeVersion: "18.20.4" }, /Node 20\.18\.1 or newer.*18\.20\.4/],
    ["a Node that is nearly new enough", { nodeVersion: "20.17.9" }, /Node 20\.18\.1 or newer/],
    ["another system", { platform: "darwin" }, /Linux.*darwin/],
    ["another processor", { architecture: "arm64" }, /x86-64.*arm64/],
    ["no root", { userId: 1000 }, /Root is needed.*sudo/],
    ["no TUN device", { hasTunDevice: false }, /\/dev\/net\/tun is missing.*modprobe tun/],
    ["no apt-get", { hasCommand: () => false }, /apt-get is missing.*Debian 12/],
    ["too little disk", { freeBytes: () => 1024 ** 3 }, /\/data needs 6\.0 GiB.*1\.0 GiB are free/],
  ];
  for (const [name, difference, expected] of obstacles) {
    test(`names ${name} in one sentence with the way out`, () => {
      assert.match(findObstacle({ ...goodMachine, ...difference }, needs) ?? "", expected);
    });
  }

  test("lets a command that changes nothing run without root", () => {
    const user = { ...goodMachine, userId: 1000, hasTunDevice: false };
    assert.equal(findObstacle(user, { needsRoot: false, diskNeeds: [] }), undefined);
  });
});
