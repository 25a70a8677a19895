import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import {
  type OpenTerminalRequest,
  type Terminal as TerminalInfo,
  type TerminalSize,
  terminalCloses,
  WireError,
} from "@opencomputer/protocol/api";
import type { WebSocket } from "ws";

/** A terminal of the contract server: a shell on this machine, which thinks its input a file. */
export interface LocalTerminal {
  info(): TerminalInfo;
  resize(size: TerminalSize): void;
  signal(number: number): void;
  attach(socket: WebSocket): void;
}

/**
 * Starts a shell behind the emulation of a line discipline: what is typed is
 * shown, a carriage return ends the line, Ctrl-C interrupts and Ctrl-D ends
 * the input. The size is known to nobody but `info`.
 */
export async function startLocalTerminal(
  { cols, rows, shell }: OpenTerminalRequest,
  options: { sandboxID: string; environment: Record<string, string>; folder: string },
): Promise<LocalTerminal> {
  const sockets = new Set<WebSocket>();
  const shown: Buffer[] = [];
  const info: TerminalInfo = {
    sessionID: `pty-${randomBytes(8).toString("hex")}`,
    sandboxID: options.sandboxID,
    ...{ shell: shell || "/bin/bash", cols, rows, running: true },
    startedAt: new Date().toISOString(),
    attachedClients: 0,
  };
  const child = await spawnShell(info.shell, options);

  function show(data: Buffer): void {
    shown.push(data);
    for (const socket of sockets) socket.send(data);
  }
  function signal(number: number): void {
    if (info.running && child.pid !== undefined) process.kill(-child.pid, number);
  }
  function finish(socket: WebSocket): void {
    const { code, reasonPrefix } = terminalCloses.ended;
    socket.close(code, `${reasonPrefix}${info.exitCode}`);
  }
  function type(data: Buffer): void {
    show(data);
    for (const byte of data) {
      if (byte === 3) signal(constants.signals.SIGINT);
      else if (byte === 4) child.stdin?.end();
      else child.stdin?.write(Buffer.of(byte === 13 ? 10 : byte));
    }
  }
  child.stdin?.on("error", () => child.stdin?.destroy());
  child.stdout?.on("data", show);
  child.stderr?.on("data", show);
  child.once("close", (code, name) => {
    info.running = false;
    info.exitCode = code ?? 128 + (name === null ? 0 : constants.signals[name]);
    for (const socket of sockets) finish(socket);
  });

  return {
    info: () => ({ ...info, attachedClients: sockets.size }),
    resize: (size) => void Object.assign(info, { cols: size.cols, rows: size.rows }),
    signal,
    attach(socket) {
      for (const data of shown) socket.send(data);
      socket.on("message", type);
      socket.once("close", () => sockets.delete(socket));
      sockets.add(socket);
      if (!info.running) finish(socket);
    },
  };
}

async function spawnShell(
  shell: string,
  { environment, folder }: { environment: Record<string, string>; folder: string },
): Promise<ChildProcess> {
  const child = spawn(shell, [], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...environment, TERM: "xterm-256color" },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", () =>
      reject(new WireError("command_not_found", `There is no shell ${shell}`)),
    );
  });
  return child;
}
