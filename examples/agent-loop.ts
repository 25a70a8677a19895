import { readFile } from "node:fs/promises";
import { Sandbox, SecretStore } from "@opencomputer/sdk";

const key = process.env["ANTHROPIC_API_KEY"] ?? "sk-ant-made-up-3f9Qx7Lr2VbN8sTz";
const task = process.argv[2] ?? "Which version of Python is installed? Find out with a command.";

const store = await SecretStore.create({
  name: "example-agent-loop",
  egressAllowlist: ["api.anthropic.com"],
});
try {
  // The agent reads its key from the environment, and so does every command that the model
  // asks for. Both find a token, which becomes the key in this one header field.
  await SecretStore.setSecret(store.id, "ANTHROPIC_API_KEY", key, {
    allowedHosts: ["api.anthropic.com"],
    substituteIn: ["header:x-api-key"],
  });
  const sandbox = await Sandbox.create({ secretStore: store.name, timeout: 600 });
  try {
    const agent = await readFile(new URL("agent.py", import.meta.url), "utf8");
    await sandbox.files.write("/workspace/agent.py", agent);
    const decoder = new TextDecoder();
    const print = (data: Uint8Array) => {
      process.stdout.write(decoder.decode(data, { stream: true }));
    };
    const session = await sandbox.exec.start("python3", {
      args: ["-u", "/workspace/agent.py", task],
      cwd: "/workspace",
      onStdout: print,
      onStderr: print,
    });
    process.exitCode = await session.wait();
  } finally {
    await sandbox.kill();
  }
} finally {
  await SecretStore.delete(store.id);
}
