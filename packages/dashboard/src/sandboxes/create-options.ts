import type { CreateSandboxOptions } from "@opencomputer/sdk";
import { pairsSoFar, parsePairs } from "../parts/parse-lines.ts";

/** The fields of the form, as they are typed; an empty one leaves the choice to the project or the platform. */
export interface CreateForm {
  project: string;
  secretStore: string;
  snapshot: string;
  cpuCount: string;
  memoryMB: string;
  diskMB: string;
  timeout: string;
  /** Whether use of the CPU keeps it awake, too. */
  staysAwakeForCpu: boolean;
  envs: string;
  metadata: string;
  needsPreviewAuth: boolean;
}

export const emptyCreateForm: CreateForm = {
  project: "",
  secretStore: "",
  snapshot: "",
  cpuCount: "",
  memoryMB: "",
  diskMB: "",
  timeout: "",
  staysAwakeForCpu: false,
  envs: "",
  metadata: "",
  needsPreviewAuth: false,
};

/** @throws {Error} that names a line of variables or metadata which is no `KEY=VALUE`. */
export function createOptions(form: CreateForm): CreateSandboxOptions {
  const number = (text: string) => (text === "" ? undefined : Number(text));
  return {
    project: form.project || undefined,
    secretStore: form.secretStore || undefined,
    snapshot: form.snapshot || undefined,
    cpuCount: number(form.cpuCount),
    memoryMB: number(form.memoryMB),
    diskMB: number(form.diskMB),
    timeout: number(form.timeout),
    idle: form.staysAwakeForCpu ? "cpu" : undefined,
    envs: form.envs.trim() === "" ? undefined : parsePairs(form.envs),
    metadata: form.metadata.trim() === "" ? undefined : parsePairs(form.metadata),
    previewAuth: form.needsPreviewAuth ? { token: "auto" } : undefined,
  };
}

/** The command line that creates the same sandbox. */
export function createCommand(form: CreateForm): string[] {
  const option = (flag: string, text: string) => (text === "" ? [] : [flag, text]);
  const pairs = (flag: string, text: string) =>
    Object.entries(pairsSoFar(text)).flatMap(([key, value]) => [flag, `${key}=${value}`]);
  return [
    ...["oc", "create"],
    ...option("--project", form.project),
    ...option("--secret-store", form.secretStore),
    ...option("--snapshot", form.snapshot),
    ...option("--cpu", form.cpuCount),
    ...option("--memory", form.memoryMB),
    ...option("--disk", form.diskMB),
    ...option("--timeout", form.timeout),
    ...(form.staysAwakeForCpu ? ["--idle", "cpu"] : []),
    ...pairs("--env", form.envs),
    ...pairs("--metadata", form.metadata),
    ...(form.needsPreviewAuth ? ["--preview-auth"] : []),
  ];
}
