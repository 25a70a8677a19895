import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { ResponseDroppedError } from "../guest/guest-bounds.ts";
import { commandArguments, throwOutcome, throwRunOutcome } from "./command-routes.ts";

describe("throwOutcome", () => {
  test("a guest that stops responding leaves the outcome unknown, which clients do not retry", () => {
    const failure = new WireError("guest_failed", "The agent in the sandbox did not respond");
    assert.throws(
      () => throwOutcome(failure),
      (error) =>
        error instanceof WireError &&
        error.code === "outcome_unknown" &&
        error.status === 409 &&
        error.cause === failure,
    );
  });

  test("an error that the guest reported is passed on unchanged", () => {
    const failure = new WireError("command_not_found", "none-such");
    assert.throws(
      () => throwOutcome(failure),
      (error) => error === failure,
    );
  });
});

describe("throwRunOutcome", () => {
  test("a command whose output was dropped may have run, so its key runs it no second time", () => {
    const dropped = new ResponseDroppedError();
    assert.throws(
      () => throwRunOutcome(dropped),
      (error) =>
        error instanceof WireError &&
        error.code === "outcome_unknown" &&
        /too much output.*may have run/i.test(error.message),
    );
    const failure = new WireError("too_many_requests", "256 commands run in this sandbox");
    assert.throws(
      () => throwRunOutcome(failure),
      (error) => error === failure,
    );
  });
});

describe("commandArguments", () => {
  test("a command without arguments is a script for the shell", () => {
    assert.deepEqual(commandArguments({ cmd: "echo $HOME" }), ["/bin/bash", "-c", "echo $HOME"]);
  });
  test("a command with a list of arguments is a program, even if the list is empty", () => {
    assert.deepEqual(commandArguments({ cmd: "echo", args: ["$HOME"] }), ["echo", "$HOME"]);
    assert.deepEqual(commandArguments({ cmd: "true", args: [] }), ["true"]);
  });
});
