// @ts-check
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goEnvironment, projectDirectory } from "./project-steps.mjs";
import { runProgram } from "./run-program.mjs";

const sources = join(projectDirectory, "packages/egress-proxy/src/testing/grpc/go-client");
const directory = join(projectDirectory, ".cache/grpc-go");

/**
 * Builds the client of grpc-go that tests of the egress proxy run, unless the one
 * that is there was made of the same. It takes about a minute of two cores the first
 * time; later ones find its packages in Go's own cache.
 *
 * @param {(text: string) => void} report
 */
export async function buildGoGrpcClient(report) {
  const stamp = join(directory, "fingerprint");
  const hash = createHash("sha256").update(await runProgram("go", ["version"]));
  for (const name of ["go.mod", "go.sum", "main.go"]) {
    hash.update(readFileSync(join(sources, name)));
  }
  const fingerprint = hash.digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return null;
  report("go build of a gRPC client");
  mkdirSync(directory, { recursive: true });
  await runProgram("go", ["build", "-ldflags=-w", "-o", join(directory, "client"), "."], {
    cwd: sources,
    env: goEnvironment,
  });
  writeFileSync(stamp, fingerprint);
  return "built";
}
