import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createBuildLog } from "./build-log.ts";

const messagesOf = (log: ReturnType<typeof createBuildLog>) => {
  const messages: string[] = [];
  log.follow(({ message }) => messages.push(message))();
  return messages;
};

describe("createBuildLog()", () => {
  test("sends a late follower everything, in order, and then each event once", () => {
    const log = createBuildLog();
    log.add({ step: 1, type: "run", message: "one" });
    const heard: string[] = [];
    const leave = log.follow(({ message }) => heard.push(message));
    log.add({ step: 1, type: "run", message: "two" });
    leave();
    log.add({ step: 1, type: "run", message: "three" });
    assert.deepEqual(heard, ["one", "two"]);
    assert.deepEqual(messagesOf(log), ["one", "two", "three"]);
  });

  test("makes an event of each line of output, and of a progress bar its last state", () => {
    const log = createBuildLog();
    log.addOutput(2, "a\n\n10%\r50%\r100%\r\nlast");
    assert.deepEqual(messagesOf(log), ["a", "", "100%", "last"]);
    log.addOutput(2, "");
    assert.equal(messagesOf(log).length, 4);
  });

  test("omits output when it is too long, reports that once, and keeps the lines of steps", () => {
    const log = createBuildLog({ bytesMax: 10, linesMax: 10 });
    log.addOutput(1, "12345\n123456789\nmore\n");
    log.addOutput(1, "and more\n");
    log.add({ step: 1, type: "run", message: "completed" });
    const messages = messagesOf(log);
    assert.equal(messages.length, 3);
    assert.equal(messages[0], "12345");
    assert.match(messages[1] ?? "", /longer than 10 bytes/);
    assert.equal(messages[2], "completed");
  });

  test("omits lines when there are too many, however short they are", () => {
    const log = createBuildLog({ bytesMax: 1000, linesMax: 2 });
    log.addOutput(1, "\n\n\n\n");
    log.add({ step: 1, type: "run", message: "completed" });
    const messages = messagesOf(log);
    assert.deepEqual(messages.slice(0, 2), ["", ""]);
    assert.match(messages[2] ?? "", /longer than 2 lines/);
    assert.deepEqual(messages.slice(3), ["completed"]);
  });
});
