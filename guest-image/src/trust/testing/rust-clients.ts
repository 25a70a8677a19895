import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "../../run-program.ts";
import type { ImageRoot } from "../../testing/image-root.ts";
import type { TrustClient } from "./image-clients.ts";

const manifest = fileURLToPath(new URL("rust-client/Cargo.toml", import.meta.url));

/** A program with native-tls: one that loads the OpenSSL of the system, and one that has its own compiled in. */
const builds = [
  { name: "rust-native-tls", flags: [] },
  { name: "rust-native-tls-vendored", flags: ["--features", "vendored"] },
] as const;
const programOf = (name: string) => `/opt/clients/${name}`;

export const rustClients: readonly TrustClient[] = builds.map(({ name }) => ({
  name,
  command: (url) => `${programOf(name)} ${url}`,
}));

/** Compiles {@link rustClients} with the host's cargo, and copies them into the root. */
export async function installRustClients(root: ImageRoot): Promise<void> {
  const target = await mkdtemp(join(tmpdir(), "opencomputer-rust-"));
  try {
    for (const { name, flags } of builds) {
      const options = ["--quiet", "--locked", "--release", "--manifest-path", manifest];
      await runProgram(["cargo", "build", ...options, ...flags], {
        environment: { CARGO_TARGET_DIR: target },
      });
      await root.copy(join(target, "release/rust-client"), programOf(name));
    }
  } finally {
    await rm(target, { recursive: true });
  }
}
