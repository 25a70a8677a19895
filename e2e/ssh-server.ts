import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findFreePort } from "@opencomputer/harness";
import { untilReady } from "./server-process.ts";

const run = promisify(execFile);
/** In a mount namespace of its own, root's home is an empty directory: the keys in the real one stay untouched. */
const serve = `mount --bind "$HOME_DIRECTORY" /root && exec dropbear -F -E -s -p "127.0.0.1:$PORT" -r "$HOST_KEY"`;

/** Dropbear, for root with a key. Commands run on this host. */
export interface SshServer {
  readonly port: number;
  /** As a line of known_hosts(5) has it, without the host. */
  readonly hostKey: string;
  /** Lets the owner of this public key in, as ssh-keygen(1) writes it. */
  trust(publicKey: string): Promise<void>;
  close(): Promise<void>;
}

export async function startSshServer(): Promise<SshServer> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-ssh-"));
  const home = join(directory, "home");
  const key = join(directory, "host-key");
  await mkdir(join(home, ".ssh"), { recursive: true, mode: 0o700 });
  const { stdout } = await run("dropbearkey", ["-t", "ed25519", "-f", key]);
  const [hostKey] = /^ssh-ed25519 \S+/m.exec(stdout) ?? [];
  if (hostKey === undefined) throw new Error(`dropbearkey printed no public key:\n${stdout}`);
  const port = await findFreePort();
  const child = spawn("unshare", ["--mount", "--propagation", "private", "/bin/sh", "-c", serve], {
    env: {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      HOME_DIRECTORY: home,
      HOST_KEY: key,
      PORT: String(port),
    },
    stdio: ["ignore", "inherit", "pipe"],
  });
  const missing = "dropbear ended before it was ready: is dropbear-bin installed?";
  const end = await untilReady(child, child.stderr, "Not backgrounding", missing);
  return {
    port,
    hostKey,
    trust: (publicKey) =>
      writeFile(join(home, ".ssh/authorized_keys"), `${publicKey}\n`, { mode: 0o600 }),
    async close() {
      await end();
      await rm(directory, { recursive: true });
    },
  };
}
