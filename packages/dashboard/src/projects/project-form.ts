import type { ProjectRecord } from "@opencomputer/sdk";
import { parseLines } from "../parts/parse-lines.ts";

/** The fields of a project's form, as they are typed; an empty one leaves the choice to the platform. */
export interface ProjectForm {
  name: string;
  cpuCount: string;
  memoryMB: string;
  timeoutSec: string;
  /** One host in each line. */
  allowlist: string;
}

export function projectForm(project?: ProjectRecord): ProjectForm {
  const number = (value: number | undefined) => (value ? String(value) : "");
  return {
    name: project?.name ?? "",
    cpuCount: number(project?.cpuCount),
    memoryMB: number(project?.memoryMB),
    timeoutSec: number(project?.timeoutSec),
    allowlist: (project?.egressAllowlist ?? []).join("\n"),
  };
}

/** What is sent. The service keeps what a number leaves out, and clears an empty allowlist. */
export function projectFields(form: ProjectForm) {
  const number = (text: string) => (text === "" ? undefined : Number(text));
  return {
    name: form.name,
    cpuCount: number(form.cpuCount),
    memoryMB: number(form.memoryMB),
    timeoutSec: number(form.timeoutSec),
    egressAllowlist: parseLines(form.allowlist),
  };
}

/** The command line that creates the same project, or changes the one of this id to it. */
export function projectCommand(form: ProjectForm, id?: string): string[] {
  const flag = (name: string, text: string) => (text === "" ? [] : [name, text]);
  const hosts = parseLines(form.allowlist);
  return [
    ...["oc", "project", ...(id === undefined ? ["create"] : ["update", id])],
    ...["--name", form.name || "NAME"],
    ...flag("--cpu", form.cpuCount),
    ...flag("--memory", form.memoryMB),
    ...flag("--timeout", form.timeoutSec),
    ...hosts.flatMap((host) => ["--egress-allowlist", host]),
    ...(id !== undefined && hosts.length === 0 ? ["--clear-egress-allowlist"] : []),
  ];
}
