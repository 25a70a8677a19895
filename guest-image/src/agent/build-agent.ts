import { runProgram } from "../run-program.ts";
import { findGo } from "./find-go.ts";

/** Compiles the guest agent from `sourceDirectory` to the static program `outputPath`. */
export async function buildAgent(options: {
  sourceDirectory: string;
  outputPath: string;
  version: string;
}): Promise<void> {
  const go = await findGo();
  const linkerFlags = `-s -w -X main.version=${options.version}`;
  await runProgram(
    [
      go,
      "build",
      "-trimpath",
      "-buildvcs=false",
      "-ldflags",
      linkerFlags,
      "-o",
      options.outputPath,
      ".",
    ],
    {
      cwd: options.sourceDirectory,
      environment: {
        CGO_ENABLED: "0",
        GOOS: "linux",
        GOARCH: "amd64",
        GOTOOLCHAIN: "local",
        GOFLAGS: "",
        GOWORK: "off",
        HOME: process.env["HOME"] ?? "/root",
      },
    },
  );
}
