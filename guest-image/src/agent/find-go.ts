import { ProgramError, runProgram } from "../run-program.ts";

const minorMin = 19;
/** The second is where Debian's golang-go puts the compiler, for hosts whose PATH has another one. */
const candidates = ["go", "/usr/lib/go/bin/go"];

/**
 * Finds a Go compiler of version 1.19 or later.
 *
 * @throws {Error} that names what to install when there is none.
 */
export async function findGo(): Promise<string> {
  const found: string[] = [];
  for (const go of candidates) {
    const version = await goVersion(go);
    if (version === undefined) continue;
    if (isRecent(version)) return go;
    found.push(`${go} is ${version}`);
  }
  throw new Error(
    `The guest agent needs Go 1.${minorMin} or later (${found.join(", ") || "none was found"}): ` +
      "run apt-get install golang-go, or add a Go toolchain to PATH",
  );
}

/** Whether the output of `go version` names Go 1.19 or later. */
export function isRecent(version: string): boolean {
  const match = /\bgo(?<major>\d+)\.(?<minor>\d+)/.exec(version);
  const major = Number(match?.groups?.["major"]);
  return major > 1 || (major === 1 && Number(match?.groups?.["minor"]) >= minorMin);
}

async function goVersion(go: string): Promise<string | undefined> {
  try {
    return (await runProgram([go, "version"])).trim();
  } catch (error) {
    if (error instanceof ProgramError) return undefined;
    throw error;
  }
}
