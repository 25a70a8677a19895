import { Sandbox } from "@opencomputer/sdk";

const sandbox = await Sandbox.create({ timeout: 300 });
try {
  await sandbox.files.write("/workspace/sum.py", "print(sum(range(101)))\n");
  const { stdout } = await sandbox.exec.run("python3 sum.py", { cwd: "/workspace" });
  console.log("sum:", stdout.trim());

  // A command that fails is a result, not an error.
  const { exitCode, stderr } = await sandbox.exec.run("ls /no/such/folder");
  console.log("exit code:", exitCode, stderr.trim());
} finally {
  await sandbox.kill();
}
