import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CreateSandboxRequest } from "@opencomputer/protocol/api";
import { resolveConfig } from "./resolve-config.ts";

const project = { template: "default", cpuCount: 2, memoryMB: 2048, timeoutSec: 600 };
const emptyProject = { template: "", cpuCount: 0, memoryMB: 0, timeoutSec: 0 };
const platform = {
  templateId: "base",
  cpuCount: 1,
  memoryMB: 1024,
  diskMB: null,
  idleTimeoutSeconds: 300,
  idle: "requests" as const,
};
const ofProject = { ...platform, cpuCount: 2, memoryMB: 2048, idleTimeoutSeconds: 600 };
const noChoice = {
  ...{ timeout: null, cpuCount: null, memoryMB: null, diskMB: null },
  ...{ templateID: null, idle: null },
};
const notChosen = { timeout: 0, cpuCount: 0, memoryMB: 0, diskMB: 0, templateID: "base" };

const cases: [
  what: string,
  request: CreateSandboxRequest,
  project: typeof project | undefined,
  expected: Omit<typeof platform, "idle"> & { idle: "requests" | "cpu" },
][] = [
  ["nothing chosen: the platform's", {}, undefined, platform],
  ["nothing chosen with a project: the project's", {}, project, ofProject],
  ["zeros and base with a project are no choice", notChosen, project, ofProject],
  ["null is no choice", noChoice, undefined, platform],
  ["null with a project is no choice", noChoice, project, ofProject],
  ["a project that chose nothing: the platform's", notChosen, emptyProject, platform],
  [
    "without a project a time-out of 0 means never",
    notChosen,
    undefined,
    { ...platform, idleTimeoutSeconds: 0 },
  ],
  [
    "explicit options win over the project's",
    { timeout: 60, cpuCount: 4, memoryMB: 512, templateID: "default" },
    project,
    { ...platform, cpuCount: 4, memoryMB: 512, idleTimeoutSeconds: 60 },
  ],
  ["what counts as use", { idle: "cpu" }, project, { ...ofProject, idle: "cpu" }],
  ["the empty template is the base", { templateID: "" }, undefined, platform],
];

describe("resolveConfig", () => {
  for (const [what, request, chosen, expected] of cases) {
    test(what, () => assert.deepEqual(resolveConfig(request, chosen), expected));
  }

  test("refuses a template that does not exist, the caller's and the project's", () => {
    const expected = { code: "invalid_request", message: /^templateID: .*found "python"$/ };
    assert.throws(() => resolveConfig({ templateID: "python" }, undefined), expected);
    assert.throws(
      () => resolveConfig({ templateID: "base" }, { ...project, template: "python" }),
      expected,
    );
  });
});
