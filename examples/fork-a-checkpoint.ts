import { Sandbox } from "@opencomputer/sdk";

const base = await Sandbox.create({ timeout: 300 });
const forks: Sandbox[] = [];
try {
  await base.files.write("/workspace/settings.json", '{"prepared":true}\n');
  await base.exec.startDetached(
    "echo $$ > /tmp/loop.pid; while :; do sleep 1; date > /tmp/now; done",
  );
  // The process is in the memory that the checkpoint saves.
  await base.exec.run("until test -s /tmp/loop.pid; do sleep 0.1; done");
  const checkpoint = await base.createCheckpoint("prepared", { wait: true });

  for (const name of ["one", "two"]) {
    forks.push(await Sandbox.createFromCheckpoint(checkpoint.id, { envs: { NAME: name } }));
  }
  for (const fork of forks) {
    const { stdout } = await fork.exec.run(
      'echo "$NAME $(cat /workspace/settings.json)"; kill -0 $(cat /tmp/loop.pid) && echo "the loop is running"',
    );
    console.log(stdout.trim());
  }
  await base.deleteCheckpoint(checkpoint.id);
} finally {
  for (const sandbox of [...forks, base]) await sandbox.kill();
}
