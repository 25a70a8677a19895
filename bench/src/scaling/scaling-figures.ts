import type { RunningInstallation } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { describeSamples, type Figure } from "../figure.ts";
import { median } from "../statistics.ts";

const rounds = 10;
const smallMB = 1024;
const largeMB = 4096;
const grownMillisecondsMax = 1_000;
/** Memory that `free` reports in a machine of the large size, without the part of its kernel. */
const shownMBMin = largeMB * 0.9;
/** Interval at which the guest records the time: a longer one is a pause. */
const noteMilliseconds = 5;
const watcher = `import signal, time
longest = 0.0
def restart(*_):
    global longest
    longest = 0.0
signal.signal(signal.SIGUSR1, restart)
last = time.monotonic()
while True:
    time.sleep(${noteMilliseconds / 1000})
    now = time.monotonic()
    if now - last > longest:
        longest = now - last
        open("/dev/shm/longest", "w").write(str(longest * 1000))
    last = now
`;

/** Time until `free` in a guest reports the new memory of its sandbox. */
export async function measureScaling(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
  const grown: number[] = [];
  const pauses: number[] = [];
  const idlePauses: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    onRound(`round ${round} of ${rounds}`);
    const sandbox = await Sandbox.create({ ...connection, memoryMB: smallMB });
    await sandbox.files.write("/tmp/watcher.py", watcher);
    await sandbox.exec.start("exec python3 /tmp/watcher.py");
    await sandbox.exec.run("sleep 1; pkill -USR1 -f watcher.py; sleep 0.1");
    const startedAt = performance.now();
    await sandbox.scale({ memoryMB: largeMB });
    await waitUntilShown(sandbox);
    grown.push(performance.now() - startedAt);
    pauses.push(await longestPause(sandbox));
    await sandbox.kill();
  }
  onRound("the longest pause without scaling");
  const idle = await Sandbox.create({ ...connection, memoryMB: smallMB });
  await idle.files.write("/tmp/watcher.py", watcher);
  for (let round = 1; round <= rounds; round += 1) {
    const session = await idle.exec.start("exec python3 /tmp/watcher.py");
    await idle.exec.run("sleep 1; pkill -USR1 -f watcher.py; sleep 0.1");
    await idle.exec.run("free -m");
    idlePauses.push(await longestPause(idle));
    await idle.exec.kill(session.sessionId);
  }
  await idle.kill();
  return [
    {
      name: `scale ${smallMB} → ${largeMB} MB until \`free\` in the guest shows it`,
      measured: describeSamples(grown, "ms"),
      floor: "—",
      result: `${(median(grown) / 1000).toFixed(2)} s`,
      mustReach: `≤ ${grownMillisecondsMax / 1000} s`,
      reached: median(grown) <= grownMillisecondsMax,
    },
    {
      name: "the guest's longest pause meanwhile",
      measured: describeSamples(pauses, "ms"),
      floor: `${describeSamples(idlePauses, "ms")} (a command, without scaling)`,
      result: `${median(pauses).toFixed(0)} ms`,
      mustReach: "reported",
      reached: null,
    },
  ];
}

async function waitUntilShown(sandbox: Sandbox): Promise<void> {
  for (;;) {
    const { stdout } = await sandbox.exec.run("free -m | awk '/^Mem:/ { print $2 }'");
    if (Number(stdout) >= shownMBMin) return;
  }
}

/** In milliseconds. */
async function longestPause(sandbox: Sandbox): Promise<number> {
  return Number((await sandbox.exec.run("cat /dev/shm/longest")).stdout);
}
