import { Sandbox } from "@opencomputer/sdk";

const script = `
for step in 1 2 3; do echo "step $step"; sleep 0.2; done
read -r name
echo "hello, $name"
exit 7
`;

const sandbox = await Sandbox.create({ timeout: 300 });
try {
  const decoder = new TextDecoder();
  const session = await sandbox.exec.start(script, {
    onStdout: (data) => {
      process.stdout.write(decoder.decode(data, { stream: true }));
    },
  });
  await session.sendStdin("reader\n");
  console.log("exit code:", await session.wait());
} finally {
  await sandbox.kill();
}
