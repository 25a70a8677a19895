import { exitCodeOfClose } from "@opencomputer/protocol/api";
import { Sandbox } from "@opencomputer/sdk";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { useEffect, useRef } from "react";
import { connection } from "../service/connection.ts";
import { attachTerminal } from "./open-terminal.ts";

/** Sizes that follow each other faster than this are sent as one. */
const resizeMilliseconds = 150;

/** A terminal emulator that is attached to one terminal of a sandbox while it is shown. */
export function TerminalView({
  sandboxId,
  sessionId,
  onEnd,
  onLeave,
}: {
  sandboxId: string;
  sessionId: string;
  onEnd: (reason: string) => void;
  /** Called for the key that leads out of the terminal: moves the focus. */
  onLeave: () => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  const whenEnded = useRef(onEnd);
  whenEnded.current = onEnd;
  const leave = useRef(onLeave);
  leave.current = onLeave;

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const emulator = new Terminal({
      screenReaderMode: true,
      minimumContrastRatio: 4.5,
      fontFamily: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
      fontSize: 13,
    });
    const fit = new FitAddon();
    emulator.loadAddon(fit);
    emulator.open(element);
    const socket = attachTerminal(sandboxId, sessionId);
    const encoder = new TextEncoder();
    const send = (data: string) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(encoder.encode(data));
    };
    emulator.onData(send);
    // Tab belongs to the shell: another key has to lead out of the terminal.
    emulator.attachCustomKeyEventHandler((event) => {
      if (event.key !== "F6") return true;
      if (event.type === "keydown") {
        event.preventDefault();
        leave.current();
      }
      return false;
    });

    let timer: ReturnType<typeof setTimeout> | undefined;
    const sendSize = () => {
      const { cols, rows } = emulator;
      Sandbox.connect(sandboxId, connection)
        .then((sandbox) => sandbox.pty.resize(sessionId, { cols, rows }))
        // One that has ended has no size; that it has, its WebSocket reports.
        .catch(() => undefined);
    };
    const observer = new ResizeObserver(() => {
      fit.fit();
      clearTimeout(timer);
      timer = setTimeout(sendSize, resizeMilliseconds);
    });
    socket.onopen = () => {
      observer.observe(element);
      emulator.focus();
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) emulator.write(new Uint8Array(data));
    };
    socket.onclose = ({ code, reason }) => {
      const exitCode = exitCodeOfClose(code, reason);
      whenEnded.current(
        exitCode === undefined
          ? `The connection was lost${reason === "" ? "" : `: ${reason}`}. Open this tab again to attach.`
          : `The shell has ended with exit code ${exitCode}.`,
      );
    };
    return () => {
      clearTimeout(timer);
      observer.disconnect();
      socket.onclose = null;
      socket.close();
      emulator.dispose();
    };
  }, [sandboxId, sessionId]);

  return (
    <div style={{ background: "#000", padding: 4 }}>
      <div ref={place} style={{ height: "min(60vh, 32rem)", overflow: "hidden" }} />
    </div>
  );
}
