import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import {
  type CommandSession as SessionInfo,
  type StartSessionRequest,
  sessionCloses,
  sessionFrames,
  WireError,
} from "@opencomputer/protocol/api";
import type { WebSocket } from "ws";

/** A session of the contract server: a process group on this machine, and its clients. */
export interface LocalSession {
  info(): SessionInfo;
  /** Both streams, whole. */
  output(): { stdout: string; stderr: string };
  ended: Promise<void>;
  signal(number: number): void;
  attach(socket: WebSocket): void;
}

export async function startLocalSession(
  request: StartSessionRequest,
  options: {
    sandboxID: string;
    environment: Record<string, string>;
    folder: string;
    input: "pipe" | "ignore";
    /** 0 for no end. */
    timeoutSeconds: number;
  },
): Promise<LocalSession> {
  const sockets = new Set<WebSocket>();
  const said: Buffer[] = [];
  const info: SessionInfo = {
    sessionID: `exec-${randomBytes(8).toString("hex")}`,
    sandboxID: options.sandboxID,
    command: request.cmd,
    args: request.args ?? [],
    running: true,
    startedAt: new Date().toISOString(),
    attachedClients: 0,
  };
  const child = await spawnGroup(request, options);
  let timedOut = false;

  function say(type: number, data: Uint8Array): void {
    const message = Buffer.concat([Buffer.of(type), data]);
    said.push(message);
    for (const socket of sockets) socket.send(message);
  }
  function signal(number: number): void {
    if (info.running && child.pid !== undefined) process.kill(-child.pid, number);
  }
  function finish(socket: WebSocket): void {
    const message = Buffer.alloc(5, sessionFrames.exit);
    message.writeInt32BE(info.exitCode ?? 0, 1);
    socket.send(message);
    socket.close(sessionCloses.completed.code, sessionCloses.completed.reason);
  }

  const timer =
    options.timeoutSeconds === 0
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          signal(constants.signals.SIGKILL);
        }, options.timeoutSeconds * 1000);
  child.stdout?.on("data", (data: Buffer) => say(sessionFrames.stdout, data));
  child.stderr?.on("data", (data: Buffer) => say(sessionFrames.stderr, data));
  child.stdin?.on("error", () => child.stdin?.destroy());
  const ended = new Promise<void>((resolve) => {
    child.once("close", (code, name) => {
      clearTimeout(timer);
      if (timedOut) say(sessionFrames.stderr, Buffer.from("\nProcess timed out"));
      info.running = false;
      info.exitCode = timedOut ? -1 : (code ?? 128 + (name === null ? 0 : constants.signals[name]));
      for (const socket of sockets) finish(socket);
      resolve();
    });
  });

  return {
    info: () => ({ ...info, attachedClients: sockets.size }),
    output: () => ({
      stdout: textOf(said, sessionFrames.stdout),
      stderr: textOf(said, sessionFrames.stderr),
    }),
    ended,
    signal,
    attach(socket) {
      for (const message of said) socket.send(message);
      socket.send(Buffer.of(sessionFrames.replayEnd));
      socket.on("message", (message: Buffer) => {
        if (message[0] !== sessionFrames.stdin) return;
        if (message.length === 1) child.stdin?.end();
        else child.stdin?.write(message.subarray(1));
      });
      socket.once("close", () => sockets.delete(socket));
      sockets.add(socket);
      if (!info.running) finish(socket);
    },
  };
}

function textOf(messages: Buffer[], type: number): string {
  const found = messages.filter((message) => message[0] === type);
  return Buffer.concat(found.map((message) => message.subarray(1))).toString();
}

async function spawnGroup(
  request: StartSessionRequest,
  options: { environment: Record<string, string>; folder: string; input: "pipe" | "ignore" },
): Promise<ChildProcess> {
  const [program, programArguments] = request.args
    ? [request.cmd, request.args]
    : // Node's pipes are sockets, which make bash read ~/.bashrc.
      ["/bin/bash", ["--norc", "-c", request.cmd]];
  const child = spawn(program, programArguments, {
    cwd: request.cwd || options.folder,
    env: { PATH: process.env["PATH"], ...options.environment, ...request.envs },
    stdio: [options.input, "pipe", "pipe"],
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", () =>
      reject(new WireError("command_not_found", `There is no command ${request.cmd}`)),
    );
  });
  return child;
}
