import type { NodeProcess } from "./node-options.ts";

/** The programs of the service: the supervisor, and the processes that it starts with Node. */
export type ServiceProgram = NodeProcess | "supervisor";

/** Where a program is, from the root of the checkout. */
export interface ProgramFile {
  /** What `setup/bundle-programs.mjs` makes of it. */
  readonly compiled: string;
  /** What `npm run dev` runs. */
  readonly source: string;
}

/** The main file of each program. */
export const programFiles: Readonly<Record<ServiceProgram, ProgramFile>> = {
  supervisor: mainOf("standalone"),
  host: {
    compiled: "packages/worker/dist/program/host.js",
    source: "packages/worker/src/host/main.ts",
  },
  worker: mainOf("worker"),
  "egress-proxy": mainOf("egress-proxy"),
  "control-plane": mainOf("control-plane"),
};

function mainOf(packageName: string): ProgramFile {
  return {
    compiled: `packages/${packageName}/dist/program/main.js`,
    source: `packages/${packageName}/src/main.ts`,
  };
}
