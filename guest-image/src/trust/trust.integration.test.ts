import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { guestLayout } from "@opencomputer/protocol/wire";
import { findGo } from "../agent/find-go.ts";
import { runProgram } from "../run-program.ts";
import { type HttpsHost, startHttpsHost } from "../testing/https-hosts.ts";
import { type ImageRoot, openImageRoot } from "../testing/image-root.ts";
import { goProgram, imageClients, pythonPackages, pythonProgram } from "./testing/image-clients.ts";
import {
  installClients,
  installedClients,
  untrustingContainers,
} from "./testing/installed-clients.ts";
import { rustClients } from "./testing/rust-clients.ts";

const imageDirectory = fileURLToPath(new URL("../../build", import.meta.url));
const packages = fileURLToPath(new URL("../../../.cache/guest-clients/python", import.meta.url));
const testing = fileURLToPath(new URL("testing", import.meta.url));
/** Whether this is `npm run test:full`, which installs more runtimes. */
const isFullRun = process.env["OPENCOMPUTER_TEST_FULL"] === "1";

const requestProgram = "/opt/clients/request";
const requestScript = `#!/bin/sh
PATH=/usr/local/bin:/usr/bin:/bin
node -e "fetch('$1/node')" && PYTHONPATH=${pythonPackages} python3 -B ${pythonProgram} requests $1/requests
`;

describe("what programs of the image trust", { timeout: 1_800_000 }, () => {
  let root: ImageRoot;
  let trusted: HttpsHost;
  let other: HttpsHost;

  before(async () => {
    root = await openImageRoot(imageDirectory);
    trusted = await startHttpsHost("trusted.example.test");
    other = await startHttpsHost("other.example.test");
    const names = ["localhost", hostname(), "trusted.example.test", "other.example.test"];
    await root.write("etc/hosts", `127.0.0.1 ${names.join(" ")}\n`);
    await root.write(guestLayout.installationAuthority, trusted.authorityPem);
    await root.copy(packages, pythonPackages);
    await root.copy(join(testing, "python-client.py"), pythonProgram);
    await root.copy(await compileGoClient(), goProgram);
    await root.write(requestProgram, requestScript, 0o755);
    await run("opencomputer-trust");
    if (isFullRun) await installClients(root);
  });
  after(async () => {
    await trusted.close();
    await other.close();
    await root.close();
  });

  const run = async (script: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await root.run(script);
    assert.equal(exitCode, 0, `${script}:\n${stdout}\n${stderr}`);
    return stdout;
  };
  /** A client sends its request when it trusts the host, whatever it makes of the response. */
  const reaches = async (host: HttpsHost, name: string, script: (url: string) => string) => {
    const earlier = host.paths.length;
    const result = await root.run(script(`${host.url}/${name}`));
    const isReached = host.paths.slice(earlier).some((path) => path.startsWith(`/${name}`));
    return { isReached, output: `${result.stdout}\n${result.stderr}` };
  };

  for (const { name, command } of [...imageClients, ...(isFullRun ? installedClients : [])]) {
    test(`${name} without any variable trusts the installation, and no other authority`, async () => {
      const { isReached, output } = await reaches(trusted, name, command);
      assert.ok(isReached, output);
      assert.equal((await reaches(other, name, command)).isReached, false);
    });
  }

  const ways = {
    sudo: `su ${guestLayout.user} -c "sudo ${requestProgram} URL"`,
    "sudo with an empty environment": `su ${guestLayout.user} -c "sudo env -i ${requestProgram} URL"`,
    "su -": `su - ${guestLayout.user} -c "${requestProgram} URL"`,
    "a service without environment or terminal": `setsid --wait env -i /bin/sh -c '${requestProgram} URL' </dev/null`,
  };
  for (const [way, command] of Object.entries(ways)) {
    test(`Node.js and requests trust it when they are started by ${way}`, async () => {
      const earlier = trusted.paths.length;
      const { stderr } = await root.run(command.replace("URL", `${trusted.url}/way`));
      assert.deepEqual(trusted.paths.slice(earlier), ["/way/node", "/way/requests"], stderr);
    });
  }

  test("a variable that is set keeps its value, also an empty one", async () => {
    const printed = "printenv SSL_CERT_FILE PIP_CERT";
    assert.equal(await run(`SSL_CERT_FILE=/own.pem PIP_CERT= ${printed}`), "/own.pem\n\n");
    assert.equal(await run(printed), `${guestLayout.trustBundle}\n`.repeat(2));
    const { isReached } = await reaches(
      trusted,
      "own",
      (url) => `SSL_CERT_FILE=/etc/hostname curl -sS --cacert /etc/hostname ${url}`,
    );
    assert.equal(isReached, false);
  });

  test("programs print nothing more, with sanitizers, static or in another root", async () => {
    const printed = await run(`exec 2>&1; cd /root && echo 'int main(void) { return 0; }' > main.c
      for option in -static -fsanitize=address -fsanitize=thread -fsanitize=undefined; do
        gcc $option main.c -o program && ./program || echo $option fails
      done
      mkdir -p other && gcc -static main.c -o other/program && chroot other /program
      env -i /bin/true; sudo -n true`);
    assert.equal(printed, "");
  });

  test("without the line in ld.so.preload, an empty environment is empty, and Node.js trusts less", async () => {
    assert.match(await run("env -i env"), /^SSL_CERT_FILE=.*\n/);
    const without = (script: string) =>
      `mv /etc/ld.so.preload /root; ${script}; mv /root/ld.so.preload /etc`;
    assert.equal(await run(without("env -i env")), "");
    const fetched = (url: string) => without(`env -i /usr/local/bin/node -e 'fetch("${url}")'`);
    assert.equal((await reaches(trusted, "node-alone", fetched)).isReached, false);
  });

  if (!isFullRun) return;

  for (const { name, command } of untrustingContainers) {
    test(`${name} trusts nothing of the installation`, async () => {
      assert.equal((await reaches(trusted, name, command)).isReached, false);
    });
  }

  for (const { name, command } of rustClients) {
    test(`${name} trusts the installation by the system's store alone, without SSL_CERT_FILE`, async () => {
      const client = (url: string) =>
        `mv /etc/ld.so.preload /root; env -i ${command(url)}; mv /root/ld.so.preload /etc`;
      const { isReached, output } = await reaches(trusted, `${name}-alone`, client);
      assert.ok(isReached, output);
      assert.equal((await reaches(other, `${name}-alone`, client)).isReached, false);
    });
  }

  test("a job of cron trusts the installation", async () => {
    const earlier = trusted.paths.length;
    await root.run(`echo '* * * * * ${requestProgram} ${trusted.url}/cron' > job
      crontab -u ${guestLayout.user} job; timeout 70 cron -f`);
    assert.deepEqual(trusted.paths.slice(earlier, earlier + 2), ["/cron/node", "/cron/requests"]);
  });

  test("programs of 32 bits print nothing more, and have the variables", async () => {
    const source = `#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts(getenv("PIP_CERT")); }`;
    await root.write("root/print.c", source);
    const print = "gcc -m32 /root/print.c -o /root/print && env -i /root/print 2>&1";
    assert.equal(await run(print), `${guestLayout.trustBundle}\n`);
  });

  test("the C library can be installed again", async () => {
    await run(
      "apt-get install --reinstall --yes -q libc6 && env -i true 2>&1 | wc -c | grep -qx 0",
    );
  });
});

async function compileGoClient(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-go-"));
  after(() => rm(directory, { recursive: true }));
  const program = join(directory, "client");
  await runProgram([await findGo(), "build", "-o", program, join(testing, "go-client.go")], {
    environment: { CGO_ENABLED: "0", GOFLAGS: "", GO111MODULE: "off" },
  });
  return program;
}
