import { open } from "node:inspector";
import { type NodeProcess, SettingsError } from "@opencomputer/protocol/wire";
import { runsFromSource } from "../installation/program-files.ts";

const host = "127.0.0.1";
const ports: Readonly<Record<InspectedProcess, number>> = {
  supervisor: 9229,
  "control-plane": 9230,
  worker: 9231,
  "egress-proxy": 9232,
  host: 9233,
};
export type InspectedProcess = NodeProcess | "supervisor";

/** The options of Node for a process of the service: with an inspector if it is debugged. */
export function inspectorOptions(
  name: NodeProcess,
  inspected: readonly InspectedProcess[],
): string[] {
  return inspected.includes(name) ? [`--inspect=${host}:${ports[name]}`] : [];
}

/**
 * Opens the supervisor's own inspector if it is debugged, and reports
 * where each process can be attached to.
 *
 * @throws {SettingsError} outside of `npm run dev`: whoever attaches to a
 * process reads the secrets in its memory.
 */
export function openInspectors(
  inspected: readonly InspectedProcess[],
  onNote: (text: string) => void,
): void {
  if (inspected.length === 0) return;
  if (!runsFromSource) {
    throw new SettingsError(
      "OPENCOMPUTER_INSPECT works with `npm run dev` only, since every user of this host can read the memory of a process with an open debugger: unset it, or run `npm run dev`.",
    );
  }
  if (inspected.includes("supervisor")) open(ports.supervisor, host);
  for (const name of inspected) onNote(`${name}: debugger at ${host}:${ports[name]}`);
}
