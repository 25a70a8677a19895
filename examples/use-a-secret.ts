import { Sandbox, SecretStore } from "@opencomputer/sdk";

const key = process.env["ANTHROPIC_API_KEY"] ?? "sk-ant-made-up-3f9Qx7Lr2VbN8sTz";

const store = await SecretStore.create({
  name: "example-use-a-secret",
  egressAllowlist: ["api.anthropic.com"],
});
try {
  await SecretStore.setSecret(store.id, "ANTHROPIC_API_KEY", key, {
    allowedHosts: ["api.anthropic.com"],
    substituteIn: ["header:x-api-key"],
  });
  const sandbox = await Sandbox.create({ secretStore: store.name, timeout: 300 });
  try {
    const { stdout: token } = await sandbox.exec.run("echo $ANTHROPIC_API_KEY");
    console.log("in the sandbox:", token.trim());

    // The proxy replaces the token with the key in this request.
    const models = await sandbox.exec.run(
      'curl -sS https://api.anthropic.com/v1/models -H "x-api-key: $ANTHROPIC_API_KEY"',
    );
    console.log("response:", models.stdout.trim());

    const refused = await sandbox.exec.run(
      "curl -sS -o /dev/null -w '%{http_code}' https://example.com/",
    );
    console.log("another host:", refused.stdout);
  } finally {
    await sandbox.kill();
  }
} finally {
  await SecretStore.delete(store.id);
}
