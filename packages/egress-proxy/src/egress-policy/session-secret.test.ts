import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionSecret } from "./session-secret.ts";

test("a secret of a session has a value of its own that is only read deliberately", () => {
  const named = { name: "KEY", token: "token", allowedHosts: ["a.example"], substituteIn: [] };
  const handedOver = { ...named, value: "Q7v2mX9Lp4ZtW8cKdR3" };
  const secret = new SessionSecret(handedOver);
  handedOver.allowedHosts.push("b.example");
  assert.equal(secret.value, "Q7v2mX9Lp4ZtW8cKdR3");
  assert.deepEqual({ ...secret }, { ...named, allowedHosts: ["a.example"] });
});
