import { Readable } from "node:stream";
import { type ImageManifest, limits, WireError } from "@opencomputer/protocol/api";
import { guestLayout } from "@opencomputer/protocol/wire";
import type { BuildLog } from "./build-log.ts";
import { createBuildLogLines } from "./build-log-lines.ts";
import { type BuildSources, buildEnvironment } from "./build-sources.ts";
import {
  type BuildAction,
  type BuildState,
  cleanUpScript,
  initialBuildState,
  planStep,
  stagingDirectory,
} from "./plan-step.ts";
import { type Builder, runScript } from "./run-script.ts";

/** A step as events name it. */
export interface BuildStep {
  /** From 1. */
  step: number;
  stepCount: number;
  stepType: string;
}

/** Gets the steps of a build as they begin and end. */
export interface BuildStepListener {
  started(step: BuildStep): Promise<void>;
  finished(step: BuildStep): Promise<void>;
  /** `exitCode` is null when the step did not fail by that of a command. */
  failed(step: BuildStep, exitCode: number | null): Promise<void>;
}

/** How much of a failed step's output its error quotes. */
const quotedCharactersMax = 4_000;
/** Files that are written at the same time. */
const writesAtOnce = 8;

/**
 * Runs the steps of an image in a builder sandbox, one after the other.
 *
 * @returns the environment and the directory of every command in a sandbox of the image.
 * @throws {WireError} `image_build_failed`, with the step, its command and the
 * end of its output.
 */
export async function runBuild(
  deps: { builder: Builder; sources: BuildSources },
  options: {
    sandboxId: string;
    manifest: ImageManifest;
    log: BuildLog;
    steps: BuildStepListener;
    signal: AbortSignal;
  },
): Promise<Pick<BuildState, "envs" | "workingDirectory">> {
  const { sandboxId, manifest, log, steps, signal } = options;
  const count = manifest.steps.length;
  let state = initialBuildState;
  let scripts = 0;

  /** In the working directory, with the image's variables over the build's own. */
  const run = (script: string, onOutput: (text: string) => void) => {
    scripts += 1;
    return runScript(deps.builder, {
      ...{ sandboxId, script, onOutput, signal },
      workingDirectory: state.workingDirectory ?? guestLayout.home,
      variables: { ...buildEnvironment(deps.sources), ...state.envs },
      outputPath: `${stagingDirectory}/output-${scripts}`,
    });
  };

  async function perform(step: number, type: string, action: BuildAction): Promise<void> {
    signal.throwIfAborted();
    if (action.kind === "write") {
      const content = Buffer.from(action.contentBase64, "base64");
      const body = { body: Readable.from([content]), length: String(content.length) };
      await deps.builder.writeFile(sandboxId, action.path, body, signal);
      return;
    }
    const lines = createBuildLogLines(log, step);
    const { exitCode, output: whole } = await run(action.script, lines.add);
    lines.end();
    if (exitCode === 0) return;
    const reason =
      exitCode === -1
        ? `did not end within ${limits.imageStepSecondsMax} s`
        : `ended with exit code ${exitCode}`;
    const output = whole.trim().slice(-quotedCharactersMax);
    throw new WireError(
      "image_build_failed",
      `Step ${step}/${count} (${type}) failed: ${action.shown} ${reason}${output === "" ? "" : `:\n${output}`}`,
      { details: { step, type, command: action.shown, exitCode, output } },
    );
  }

  for (const [index, step] of manifest.steps.entries()) {
    const number = index + 1;
    const { title, actions, next } = planStep(step, state, deps.sources);
    const named = { step: number, stepCount: count, stepType: step.type };
    log.add({ step: number, type: step.type, message: `Step ${number}/${count}: ${title}` });
    await steps.started(named);
    try {
      const writes = actions.filter(({ kind }) => kind === "write");
      for (let from = 0; from < writes.length; from += writesAtOnce) {
        const some = writes.slice(from, from + writesAtOnce);
        await Promise.all(some.map((action) => perform(number, step.type, action)));
      }
      for (const action of actions) {
        if (action.kind === "run") await perform(number, step.type, action);
      }
    } catch (error) {
      await steps.failed(named, exitCodeOf(error));
      throw asBuildFailure(error, `Step ${number}/${count} (${step.type})`);
    }
    state = next;
    await steps.finished(named);
    log.add({ step: number, type: step.type, message: `Step ${number}/${count} completed` });
  }
  const { exitCode, output } = await run(cleanUpScript, () => undefined);
  if (exitCode === 0) return { envs: state.envs, workingDirectory: state.workingDirectory };
  throw new WireError(
    "image_build_failed",
    `Cleaning up after the steps ended with exit code ${exitCode}: ${output.slice(-quotedCharactersMax)}`,
  );
}

function exitCodeOf(error: unknown): number | null {
  const exitCode = error instanceof WireError ? error.details?.["exitCode"] : undefined;
  return typeof exitCode === "number" ? exitCode : null;
}

/**
 * Turns the failure of a build that had begun into the error of the API. Clients
 * send a request again after 502 and 503, so it is neither.
 */
export function asBuildFailure(error: unknown, what: string): unknown {
  if (!(error instanceof WireError)) return error;
  if (error.code === "image_build_failed" || error.code === "host_storage_full") return error;
  return new WireError("image_build_failed", `${what} failed: ${error.message}`, { cause: error });
}
