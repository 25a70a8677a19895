import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** What a program printed, and how it ended. */
export interface ProgramResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** The built image's root, for programs that run in it without a machine. Changes are thrown away. */
export interface ImageRoot {
  /** Runs a script of root as the only thing that knows an environment: it has PATH alone. */
  run(script: string): Promise<ProgramResult>;
  write(path: string, content: string | Uint8Array, mode?: number): Promise<void>;
  copy(from: string, path: string): Promise<void>;
  close(): Promise<void>;
}

const outputBytesMax = 16 * 1024 * 1024;
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Mounts exist in a namespace of their own, which ends with the program: nothing is left of a test that is killed. */
const runInRoot = `set -e
mount -o loop,ro,noload "$BASE" "$DIRECTORY/base"
mount -t overlay -o "lowerdir=$DIRECTORY/base,upperdir=$DIRECTORY/changes,workdir=$DIRECTORY/work" overlay "$DIRECTORY/root"
mount -t proc proc "$DIRECTORY/root/proc"
mount --rbind /dev "$DIRECTORY/root/dev"
mount -t tmpfs tmpfs "$DIRECTORY/root/run"
exec chroot "$DIRECTORY/root" /usr/bin/env -i PATH=${path} /bin/bash -c "$SCRIPT"`;

/** Makes a root of the image in a directory. Programs in it see the host's network and processes. */
export async function openImageRoot(imageDirectory: string): Promise<ImageRoot> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-root-"));
  for (const name of ["base", "changes", "work", "root"]) await mkdir(join(directory, name));
  const inChanges = async (target: string) => {
    const changed = join(directory, "changes", target);
    await mkdir(dirname(changed), { recursive: true });
    return changed;
  };
  return {
    run: (script) =>
      new Promise((resolve, reject) => {
        execFile(
          "unshare",
          ["--mount", "--propagation", "private", "/bin/sh", "-c", runInRoot],
          {
            env: {
              PATH: path,
              BASE: join(imageDirectory, "base.raw"),
              DIRECTORY: directory,
              SCRIPT: script,
            },
            maxBuffer: outputBytesMax,
          },
          (error, stdout, stderr) => {
            if (error === null) resolve({ exitCode: 0, stdout, stderr });
            else if (typeof error.code === "number")
              resolve({ exitCode: error.code, stdout, stderr });
            else reject(error);
          },
        );
      }),
    write: async (target, content, mode = 0o644) =>
      await writeFile(await inChanges(target), content, { mode }),
    copy: async (from, target) => await cp(from, await inChanges(target), { recursive: true }),
    close: () => rm(directory, { recursive: true }),
  };
}
