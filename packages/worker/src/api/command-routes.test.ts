import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol";
import { commandArguments, throwOutcome } from "./command-routes.ts";

describe("throwOutcome", () => {
  test("a guest that fell silent leaves the outcome unknown, which nobody retries", () => {
    const failure = new WireError("guest_failed", "The agent in the sandbox did not answer");
    assert.throws(
      () => throwOutcome(failure),
      (error) =>
        error instanceof WireError &&
        error.code === "outcome_unknown" &&
        error.status === 409 &&
        error.cause === failure,
    );
  });

  test("an error that the guest told of stays as it is", () => {
    const failure = new WireError("command_not_found", "none-such");
    assert.throws(
      () => throwOutcome(failure),
      (error) => error === failure,
    );
  });
});

describe("commandArguments", () => {
  test("a lone command is a script for the shell", () => {
    assert.deepEqual(commandArguments({ cmd: "echo $HOME" }), ["/bin/bash", "-c", "echo $HOME"]);
  });
  test("a command with arguments is a program, even with none of them", () => {
    assert.deepEqual(commandArguments({ cmd: "echo", args: ["$HOME"] }), ["echo", "$HOME"]);
    assert.deepEqual(commandArguments({ cmd: "true", args: [] }), ["true"]);
  });
});
