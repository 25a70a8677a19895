import { spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { createInterface } from "node:readline";
import { egressPortsOf, guestNetwork, metadataService } from "@opencomputer/protocol/wire";
import { z } from "zod";
import type { Slot } from "../network/slot.ts";
import { runProgram } from "../process/run-program.ts";

/** How an attempt to reach an address ended, as the guest sees it. */
const outcomeSchema = z.enum(["reached", "refused", "silent"]);
type Outcome = z.infer<typeof outcomeSchema>;

/** A network namespace instead of a virtual machine, behind a slot's `tap0`. */
export interface StandInGuest {
  tcp(address: string, port: number, sourceAddress?: string): Promise<Outcome>;
  udp(address: string, port: number): Promise<Outcome>;
  close(): Promise<void>;
}

/** How long silence lasts before it is called so. Refusals come within milliseconds. */
const silenceMilliseconds = 1500;

/** Not of the installation's names, so that nothing takes it for a slot. */
export function standInGuestName(slot: Slot): string {
  return `guest-${slot.name}`;
}

/** Replaces a slot's tap device, which only QEMU can use, by a veth of the same name and addresses. */
export async function attachStandInGuest(slot: Slot): Promise<StandInGuest> {
  const name = standInGuestName(slot);
  await runProgram("ip", ["-batch", "-"], { input: `netns add ${name}\n` });
  await plugStandInGuest(slot);
  const attempt = async (script: string) => outcomeSchema.parse((await runIn(name, script)).trim());
  return {
    tcp: (address, port, sourceAddress) => attempt(tcpAttempt(address, port, sourceAddress)),
    udp: (address, port) => attempt(udpAttempt(address, port)),
    async close() {
      await runProgram("ip", ["netns", "del", name]);
    },
  };
}

/** Takes a stand-in guest from its slot; its processes and connections continue. */
export async function unplugStandInGuest(slot: Slot): Promise<void> {
  await runProgram("ip", ["-n", slot.name, "link", "del", "tap0"]);
}

/** Puts a stand-in guest behind a slot, as a restored machine comes behind another one. */
export async function plugStandInGuest(slot: Slot): Promise<void> {
  const name = standInGuestName(slot);
  const { guestAddress, gatewayAddress, prefixLength, guestMacAddress } = guestNetwork;
  await runProgram("ip", ["-n", slot.name, "-batch", "-"], {
    input: `link del tap0
link add tap0 type veth peer name eth0 netns ${name}
addr add ${gatewayAddress}/${prefixLength} dev tap0
link set tap0 up
neigh add ${guestAddress} lladdr ${guestMacAddress} dev tap0 nud permanent
`,
  });
  await runProgram("ip", ["-n", name, "-batch", "-"], {
    input: `link set eth0 address ${guestMacAddress}
addr add ${guestAddress}/${prefixLength} dev eth0
link set lo up
link set eth0 up
route add default via ${gatewayAddress}
`,
  });
}

/** What happened to a connection after its guest sent: its bytes came back, it ended, or was reset. */
const replySchema = z.enum(["echoed", "ended", "reset", "silent"]);

/** A TCP connection of a process in a stand-in guest. */
export interface HeldConnection {
  /** Sends `bytes`, or the `end` of the stream, and returns what happened. Only once. */
  send(what: "bytes" | "end"): Promise<z.infer<typeof replySchema>>;
}

/** Connects from a stand-in guest and holds the connection until something is sent on it. */
export async function holdConnection(
  slot: Slot,
  address: string,
  port: number,
): Promise<HeldConnection> {
  const script = `const socket = require("node:net").connect({ host: "${address}", port: ${port}, allowHalfOpen: true });
const end = (reply) => { console.log(reply); process.exit(); };
let sent = false;
socket.on("connect", () => console.log("connected"));
socket.on("error", (error) => end(error.code === "ECONNRESET" ? "reset" : "silent"));
socket.on("data", (bytes) => { if (sent && String(bytes) === "echo?") end("echoed"); });
socket.on("end", () => { if (sent) end("ended"); });
process.stdin.on("data", (what) => {
  sent = true;
  if (String(what) === "end\\n") socket.end();
  else socket.write("echo?");
  setTimeout(() => end("silent"), ${silenceMilliseconds});
});`;
  const namespace = `--net=/run/netns/${standInGuestName(slot)}`;
  const holder = spawn("nsenter", [namespace, process.execPath, "-e", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(holder.stdout)[Symbol.asyncIterator]();
  const connected = await lines.next();
  if (connected.value !== "connected") {
    throw new Error(`${address}:${port} cannot be connected to from the stand-in guest`);
  }
  return {
    async send(what) {
      holder.stdin.write(`${what}\n`);
      return replySchema.parse((await lines.next()).value);
    },
  };
}

/** Runs a Node script in a network namespace; its standard output. */
export function runIn(namespace: string, script: string): Promise<string> {
  return runProgram("nsenter", [`--net=/run/netns/${namespace}`, process.execPath, "-e", script]);
}

function tcpAttempt(address: string, port: number, sourceAddress: string | undefined): string {
  return `const socket = require("node:net").connect({ host: "${address}", port: ${port}, ${
    sourceAddress === undefined ? "" : `localAddress: "${sourceAddress}"`
  } });
const end = (outcome) => { console.log(outcome); process.exit(); };
socket.on("connect", () => end("reached"));
socket.on("error", (error) => end(error.code === "ETIMEDOUT" ? "silent" : "refused"));
setTimeout(() => end("silent"), ${silenceMilliseconds});`;
}

function udpAttempt(address: string, port: number): string {
  return `const socket = require("node:dgram").createSocket("udp4");
const end = (outcome) => { console.log(outcome); process.exit(); };
socket.on("message", () => end("reached"));
socket.on("error", () => end("refused"));
socket.connect(${port}, "${address}", () => socket.send("?"));
setTimeout(() => end("silent"), ${silenceMilliseconds});`;
}

/**
 * Echoes on the ports of the `index`-th proxy, and reports the caller; the first also on
 * that of the metadata service.
 */
export async function serveAsProxy(egressAddress: string, index = 0) {
  const ports = egressPortsOf(index);
  const others = index === 0 ? [metadataService.port] : [];
  const callers: string[] = [];
  const servers: Server[] = [];
  for (const port of [...Object.values(ports), ...others]) {
    const server = createServer((socket) => {
      callers.push(`tcp ${socket.localPort} from ${socket.remoteAddress}`);
      socket.on("error", () => socket.destroy());
      socket.pipe(socket);
      // A guest that lost its connection never ends it.
      socket.unref();
    });
    server.listen(port, egressAddress);
    await once(server, "listening");
    servers.push(server);
  }
  const resolver = createSocket("udp4");
  resolver.on("message", (question, { address, port }) => {
    callers.push(`udp ${ports.dns} from ${address}`);
    resolver.send(question, port, address);
  });
  resolver.bind(ports.dns, egressAddress);
  await once(resolver, "listening");
  return {
    /** Who called since the last time this was asked. */
    takeCallers: () => callers.splice(0),
    close() {
      for (const server of servers) server.close();
      resolver.close();
    },
  };
}

/**
 * Accepts connections to any address, as the proxy does for open ports, and reports
 * where each was meant to go. Only a privileged program may open such a socket.
 */
export async function serveStreams(egressAddress: string, index = 0) {
  const { streams } = egressPortsOf(index);
  const open = `use Socket; $^F = 9;
socket $s, PF_INET, SOCK_STREAM, 0 or die; setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
setsockopt $s, 0, 19, 1 or die; bind $s, sockaddr_in(shift, inet_aton(shift)) or die;
listen $s, 9 or die; exec @ARGV, fileno $s;`;
  const serve = `const server = require("node:net").createServer((socket) => {
  console.log(socket.localAddress + ":" + socket.localPort + " from " + socket.remoteAddress);
  socket.on("error", () => socket.destroy());
  socket.end("hello");
});
server.listen({ fd: Number(process.argv.at(-1)) }, () => console.log("ready"));`;
  const server = spawn(
    "perl",
    ["-e", open, String(streams), egressAddress, process.execPath, "-e", serve, "--"],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface(server.stdout)[Symbol.asyncIterator]();
  await lines.next();
  return {
    nextCaller: async (): Promise<string> => z.string().parse((await lines.next()).value),
    close: () => void server.kill(),
  };
}

/** A namespace beyond the host with public and private addresses, which responds on every port tried. */
export async function attachInternet(
  name: string,
  hostAddress: string,
  addresses: readonly string[],
) {
  const ownAddress = hostAddress.replace(/\.1$/, ".2");
  await runProgram("ip", ["-batch", "-"], {
    input: `netns add ${name}
link add ${name} type veth peer name eth0 netns ${name}
addr add ${hostAddress}/30 dev ${name}
link set ${name} up
`,
  });
  await runProgram("ip", ["-n", name, "-batch", "-"], {
    input: `link set lo up
addr add ${ownAddress}/30 dev eth0
link set eth0 up
${addresses.map((address) => `addr add ${address}/32 dev lo`).join("\n")}
`,
  });
  await runProgram("ip", ["-batch", "-"], {
    input: addresses.map((address) => `route add ${address}/32 via ${ownAddress}\n`).join(""),
  });
  return {
    async close() {
      await runProgram("ip", ["-batch", "-"], { input: `link del ${name}\nnetns del ${name}\n` });
    },
  };
}

/** Servers of TCP and UDP at each `address:port` of a namespace, or `address:port:echo`. */
export async function serveInNamespace(namespace: string, places: readonly string[]) {
  const server = spawn(
    "nsenter",
    [
      `--net=/run/netns/${namespace}`,
      process.execPath,
      new URL("internet-server.mjs", import.meta.url).pathname,
      ...places,
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  await once(server.stdout, "data");
  return { close: () => void server.kill() };
}

/** An id and a network block that nothing else on this host has: test runs may overlap. */
export async function testInstallation(): Promise<{ installationId: string; block: string }> {
  const addresses = await runProgram("ip", ["-brief", "addr"]);
  for (;;) {
    const block = `198.19.${randomInt(64) * 4}.0`;
    if (addresses.includes(block.replace(/\.0$/, "."))) continue;
    return { installationId: randomBytes(4).toString("hex"), block: `${block}/22` };
  }
}
