import assert from "node:assert/strict";
import { test } from "node:test";
import { createDetachKey } from "./detach-key.ts";

test("createDetachKey finds ~. at the beginning of a line alone, however it is cut", () => {
  const cases: [keys: string, typed: string, isDetached: boolean][] = [
    ["~.", "", true],
    ["ls\r~.rest", "ls\r", true],
    ["ls\n~.", "ls\n", true],
    ["ls ~.", "ls ~.", false],
    ["~~.", "~.", false],
    ["~/bin\r", "~/bin\r", false],
    ["~\r~.", "~\r", true],
    ["gr\u00fcn~.\r", "gr\u00fcn~.\r", false],
  ];
  for (const [keys, typed, isDetached] of cases) {
    const whole = createDetachKey().take(Buffer.from(keys));
    assert.deepEqual([whole.typed.toString(), whole.isDetached], [typed, isDetached], keys);
    const key = createDetachKey();
    const parts: Buffer[] = [];
    let detached = false;
    for (const byte of Buffer.from(keys)) {
      const taken = key.take(Buffer.of(byte));
      parts.push(taken.typed);
      detached = taken.isDetached;
      if (detached) break;
    }
    assert.deepEqual([Buffer.concat(parts).toString(), detached], [typed, isDetached], keys);
  }
});
