import { limits } from "@opencomputer/protocol/api";

/** What one stream of a command has written, up to a limit. */
export interface ShellOutput {
  add(data: Uint8Array): void;
  text(): string;
  isTruncated(): boolean;
}

export function createShellOutput(bytesMax: number = limits.commandOutputBytesMax): ShellOutput {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const parts: string[] = [];
  let byteCount = 0;
  return {
    add(data) {
      const kept = data.subarray(0, Math.max(0, bytesMax - byteCount));
      byteCount += data.length;
      if (kept.length > 0) parts.push(decoder.decode(kept, { stream: true }));
    },
    text: () => parts.join("") + decoder.decode(),
    isTruncated: () => byteCount > bytesMax,
  };
}
