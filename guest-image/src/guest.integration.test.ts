import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ConfigureGuestRequest, guestLayout, guestNetwork } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { runProgram } from "./run-program.ts";
import { type AgentCalls, AgentError, agentCalls } from "./testing/agent-calls.ts";
import { bootGuest, type RunningGuest } from "./testing/boot-guest.ts";

const imageDirectory = fileURLToPath(new URL("../build", import.meta.url));

/** Holds a connection to an address and one within the machine, and prints how waiting on them ends. */
const waitsForItsPeer = `
import errno, os, socket, sys
outside = socket.create_connection((sys.argv[1], int(sys.argv[2])))
listener = socket.create_server(("127.0.0.1", 0))
inside = socket.create_connection(listener.getsockname())
accepted, _ = listener.accept()
open("/tmp/connected", "w").close()
try:
    ending = repr(outside.recv(1))
except OSError as error:
    ending = errno.errorcode[error.errno]
accepted.send(b"x")
with open("/tmp/result.new", "w") as file:
    file.write(f"outside: {ending}, inside: {inside.recv(1).decode()}")
os.rename("/tmp/result.new", "/tmp/result")
`;

/** One guest for all tests: each leaves it unchanged, or notes what it changes. */
describe("the guest image, booted", { timeout: 900_000 }, () => {
  let guest: RunningGuest | undefined;
  let agent: AgentCalls;

  before(async () => {
    guest = await bootGuest(imageDirectory);
    agent = agentCalls(guest.url);
  });
  after(async () => await guest?.stop());

  const fails = (status: number, code: string) => (error: unknown) =>
    error instanceof AgentError && error.status === status && error.code === code;

  const identity = (changes: Partial<ConfigureGuestRequest> = {}): ConfigureGuestRequest => ({
    timeUnixMilliseconds: Date.now(),
    entropyBase64: randomBytes(32).toString("base64"),
    hostname: "sb-integration",
    machineId: randomBytes(16).toString("hex"),
    environment: {},
    cpuCount: 2,
    closeConnections: false,
    thaw: true,
    ...changes,
  });

  test("configure sets clock, host name, machine id and environment", async () => {
    const request = identity({
      timeUnixMilliseconds: Date.UTC(2031, 4, 5, 6, 7, 8),
      environment: { CONFIGURED: "yes", LANG: "de" },
    });
    await agent.configure(request);
    const { stdout } = await agent.script(
      "date -u +%Y-%m-%dT%H:%M; hostname; cat /etc/machine-id; echo $CONFIGURED $LANG $HOME; getent hosts $(hostname)",
    );
    assert.deepEqual(stdout.trim().replace(/ {2,}/g, " ").split("\n"), [
      "2031-05-05T06:07",
      "sb-integration",
      request.machineId,
      "yes de /home/sandbox",
      "127.0.1.1 sb-integration",
    ]);
    await agent.configure(identity());
    const { stdout: later } = await agent.script("date +%s; echo [$CONFIGURED]");
    const [seconds, configured] = later.trim().split("\n");
    assert.ok(Math.abs(Number(seconds) - Date.now() / 1000) < 120, `the clock shows ${seconds}`);
    assert.equal(configured, "[]");
  });

  test("a machine that is configured again as the same keeps its user's names", async () => {
    const first = identity();
    await agent.configure(first);
    const rename = "hostname mine && echo '10.9.8.7 mine' >> /etc/hosts";
    assert.equal((await agent.script(rename, { asRoot: true })).exitCode, 0);
    const names = async () => (await agent.script("hostname; getent hosts 10.9.8.7")).stdout;
    await agent.configure(first);
    assert.match(await names(), /^mine\n10\.9\.8\.7 +mine\n$/);
    await agent.configure(identity());
    assert.match(await names(), /^sb-integration\n10\.9\.8\.7 +mine\n$/);
  });

  test("configure closes the connections to other machines when requested, and no others", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = z.object({ port: z.number() }).parse(server.address());
    try {
      await agent.writeFile("/tmp/waits.py", waitsForItsPeer);
      await agent.script(
        `rm -f /tmp/connected /tmp/result; setsid python3 /tmp/waits.py ${guestNetwork.gatewayAddress} ${port} >/dev/null 2>&1 &`,
      );
      await agent.script("until [ -e /tmp/connected ]; do sleep 0.1; done");
      await agent.configure(identity());
      assert.equal((await agent.script("sleep 1; ls /tmp/result")).exitCode, 2);
      await agent.configure(identity({ closeConnections: true }));
      const { stdout } = await agent.script(
        "until [ -e /tmp/result ]; do sleep 0.1; done; cat /tmp/result",
      );
      assert.equal(stdout, "outside: ECONNABORTED, inside: x");
    } finally {
      server.close();
    }
  });

  test("processes are frozen until configure thaws them, and commands run meanwhile", async () => {
    const count =
      "n=0; while :; do n=$((n+1)); sleep 0.05; echo $n > /tmp/next; mv /tmp/next /tmp/count; done";
    await agent.script(`rm -f /tmp/count; setsid bash -c '${count}' >/dev/null 2>&1 &`);
    await agent.script("until [ -s /tmp/count ]; do sleep 0.1; done");
    const countAfterASecond = async () => (await agent.script("sleep 1; cat /tmp/count")).stdout;
    await agent.freeze();
    const frozen = await countAfterASecond();
    await agent.configure(identity({ thaw: false }));
    assert.equal(await countAfterASecond(), frozen);
    await agent.configure(identity());
    await agent.script(`until [ $(cat /tmp/count) -gt ${frozen.trim()} ]; do sleep 0.1; done`);
    await agent.script("pkill -f /tmp/count");
  });

  test("sync responds when everything that was written is on the disk", async () => {
    await agent.script("head -c 8M /dev/urandom > /tmp/written");
    await agent.sync();
    const dirty = "awk '/^(Dirty|Writeback):/ { sum += $2 } END { print sum }' /proc/meminfo";
    assert.ok(Number((await agent.script(dirty)).stdout) < 4096);
  });

  test("configure takes processors offline and brings them back, as nproc sees", async () => {
    for (const cpuCount of [1, 2]) {
      const configured = await agent.configure(identity({ cpuCount }));
      assert.equal(configured.cpuCount, cpuCount);
      assert.equal((await agent.run(["nproc"])).stdout, `${cpuCount}\n`);
    }
  });

  test("configure returns the memory that free shows, nearly all of the machine's", async () => {
    const { memoryMB } = await agent.configure(identity());
    const { stdout } = await agent.script("free -m | awk '/^Mem:/ { print $2 }'");
    assert.equal(Number(stdout), memoryMB);
    assert.ok(memoryMB > 940 && memoryMB <= 1024, `${memoryMB} MB of 1024`);
  });

  test("a command has separate streams, an exit code, variables and a directory", async () => {
    const result = await agent.script("echo $A; pwd; echo err >&2; exit 3", {
      environment: { A: "command" },
      workingDirectory: "/workspace",
    });
    assert.deepEqual(result, { exitCode: 3, stdout: "command\n/workspace\n", stderr: "err\n" });
  });

  test("a command is user sandbox at home, with sudo, and without the agent's protection", async () => {
    const { stdout } = await agent.script(
      "id -un; id -Gn; pwd; sudo id -un; cat /proc/self/oom_score_adj; touch /workspace/x && rm /workspace/x",
    );
    assert.deepEqual(stdout.trim().split("\n"), [
      "sandbox",
      "sandbox sudo",
      "/home/sandbox",
      "root",
      "0",
    ]);
    const { stdout: own } = await agent.script(
      "cat /proc/$(pgrep -x opencomputer-ag)/oom_score_adj",
    );
    assert.equal(own, "-1000\n");
  });

  test("sudo keeps the variables that make programs trust the host's authority", async () => {
    const { stdout } = await agent.run(["sudo", "printenv", "SSL_CERT_FILE", "PIP_CERT"]);
    assert.equal(stdout, `${guestLayout.trustBundle}\n${guestLayout.trustBundle}\n`);
  });

  test("a command is killed after its timeout, with its group and nothing else", async () => {
    await agent.script("setsid sleep 7777 >/dev/null 2>&1 &");
    const result = await agent.script("sleep 8888 & echo before; wait", {
      timeoutMilliseconds: 3000,
    });
    assert.deepEqual(result, { exitCode: -1, stdout: "before\n", stderr: "\nProcess timed out" });
    assert.equal((await agent.script("pgrep -fx 'sleep 8888'")).exitCode, 1);
    assert.equal((await agent.script("pkill -fx 'sleep 7777'")).exitCode, 0);
  });

  test("a command does not wait for a background process that holds the output, which continues", async () => {
    const { stdout } = await agent.script("(sleep 6666; echo late) & echo early");
    assert.equal(stdout, "early\n");
    assert.equal((await agent.script("pkill -fx 'sleep 6666'")).exitCode, 0);
  });

  test("a command whose client disconnects is killed", async () => {
    const client = new AbortController();
    const command = agent.script("exec sleep 5555", {}, client.signal);
    await agent.script("until pgrep -fx 'sleep 5555'; do sleep 0.1; done");
    client.abort();
    await assert.rejects(command, { name: "AbortError" });
    await agent.script("while pgrep -fx 'sleep 5555'; do sleep 0.1; done");
  });

  test("ten megabytes of output arrive complete", async () => {
    const { stdout, truncated } = await agent.script("head -c 10000000 /dev/zero | tr '\\0' x");
    assert.equal(stdout.length, 10_000_000);
    assert.equal(truncated, undefined);
  });

  test("a command or a directory that does not exist is refused by name", async () => {
    await assert.rejects(agent.run(["no-such-program"]), fails(400, "command_not_found"));
    await assert.rejects(
      agent.run(["true"], { workingDirectory: "/no/such" }),
      fails(400, "working_directory_not_found"),
    );
    assert.equal((await agent.script("no-such-program")).exitCode, 127);
  });

  test("files are written, listed, read, and deleted", async () => {
    const content = randomBytes(3_000_000);
    await agent.writeFile("below/a file", content);
    assert.deepEqual(Buffer.from(await agent.readFile("/home/sandbox/below/a file")), content);
    assert.deepEqual(await agent.list("below"), [
      { name: "a file", path: "/home/sandbox/below/a file", isDir: false, size: content.length },
    ]);
    assert.equal((await agent.run(["stat", "-c", "%U", "below/a file"])).stdout, "sandbox\n");
    await agent.makeDirectory("below/directory");
    await agent.remove("below");
    await assert.rejects(agent.readFile("below/a file"), fails(404, "file_not_found"));
    await assert.rejects(agent.list("below"), fails(404, "file_not_found"));
    await assert.rejects(agent.readFile("/etc"), fails(400, "not_a_file"));
  });

  test("the promised tools exist and work", async () => {
    const { stdout, stderr, exitCode } = await agent.script(
      `set -e
       python3 -c 'import ssl, sqlite3, venv; print("python", 6 * 7)'
       python -c 'import sys; print(sys.executable == "/usr/bin/python" and sys.version_info[0])'
       node -p '"node " + process.versions.node.split(".")[0]'
       echo 'int main(void) { return 42; }' > a.c && gcc a.c -o a.out && (./a.out || echo gcc $?)
       rm a.c a.out
       git init -q repository && git -C repository status --short && rm -r repository
       curl --version | grep -o '^curl' && pip --version | grep -o '^pip' && npm --version | grep -o '^11'
       npx --version | grep -o '^11'
       test ! -e /usr/lib/python3.11/EXTERNALLY-MANAGED`,
      { timeoutMilliseconds: 300_000 },
    );
    assert.equal(exitCode, 0, stderr);
    assert.equal(stdout, "python 42\n3\nnode 24\ngcc 42\ncurl\npip\n11\n11\n");
  });

  test("opencomputer-trust makes the guest trust the installed authority", async () => {
    // This changes the guest: the authority remains trusted.
    const authority = await runProgram([
      "openssl",
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", "/dev/null", "-subj", "/CN=Test authority", "-days", "30"],
      ...["-addext", "basicConstraints=critical,CA:TRUE"],
    ]);
    await agent.writeFile(guestLayout.installationAuthority, authority);
    const verify = `openssl verify -CApath /etc/ssl/certs ${guestLayout.installationAuthority} &&
      python3 -c 'import ssl; print([c for c in ssl.create_default_context().get_ca_certs() if "Test authority" in str(c)] != [])'`;
    assert.notEqual((await agent.script(verify)).exitCode, 0);
    for (const round of ["first", "second"]) {
      const { exitCode, stderr } = await agent.run(["opencomputer-trust"], { asRoot: true });
      assert.equal(exitCode, 0, `${round}: ${stderr}`);
    }
    const { stdout } = await agent.script(verify);
    assert.match(stdout, /: OK\nTrue\n$/);
    const { stdout: count } = await agent.script(
      `grep -c BEGIN ${guestLayout.trustBundle}; ls -l /etc/ssl/certs/*.pem | wc -l`,
    );
    const [inBundle, links] = count.trim().split("\n");
    assert.equal(inBundle, links);
  });

  test("an agent that dies is started again and still has its environment", async () => {
    await agent.configure(identity({ environment: { KEPT: "yes" } }));
    await assert.rejects(agent.script("pkill -KILL -x opencomputer-ag", { asRoot: true }));
    let stdout = "";
    for (let attempt = 0; attempt < 100 && stdout === ""; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      stdout = await agent.script("echo $KEPT").then(
        (result) => result.stdout,
        () => "",
      );
    }
    assert.equal(stdout, "yes\n");
  });
});
