import { Project, Sandbox } from "@opencomputer/sdk";

const key = process.env["ANTHROPIC_API_KEY"] ?? "sk-ant-made-up-3f9Qx7Lr2VbN8sTz";

const project = await Project.create({
  name: "example-project-defaults",
  template: "base",
  cpuCount: 1,
  memoryMB: 2048,
  timeoutSec: 600,
  egressAllowlist: ["api.anthropic.com"],
});
try {
  await Project.setSecret(project.id, "ANTHROPIC_API_KEY", key, {
    substituteIn: ["header:x-api-key"],
  });
  const sandbox = await Sandbox.create({ project: project.name });
  try {
    const { template, memoryMB, project: name } = await sandbox.getInfo();
    console.log("sandbox:", template, memoryMB, "MB, project", name);
    const { stdout } = await sandbox.exec.run(
      'curl -sS https://api.anthropic.com/v1/models -H "x-api-key: $ANTHROPIC_API_KEY"',
    );
    console.log("response:", stdout.trim());
  } finally {
    await sandbox.kill();
  }
} finally {
  await Project.delete(project.id);
}
