import type { CommandMarkers } from "./shell-script.ts";

const markerByte = 1;
/** An exit code, its space and its newline. */
const statusBytesMax = 16;

/** Finds the output of one command in a stream, between its markers. */
export interface MarkedStream {
  /** Reads a chunk of the stream, and passes the command's output in it to `handle`. */
  push(data: Uint8Array): void;
  /** Ends the stream: what was buffered as the possible start of a marker is output. */
  flush(): void;
  hasEnded(): boolean;
  /** The exit code after the end marker; undefined until then, and on stderr. */
  exitCode(): number | undefined;
}

/** @param handle Gets the output, in pieces that are never empty. */
export function createMarkedStream(
  markers: CommandMarkers,
  options: { hasExitCode: boolean; handle: (data: Uint8Array) => void },
): MarkedStream {
  const [start, end] = [markers.start, markers.end].map((text) => new TextEncoder().encode(text));
  if (start === undefined || end === undefined) throw new Error("expected two markers");
  let stage: "before" | "output" | "status" | "ended" = "before";
  let held: Uint8Array = new Uint8Array(0);
  let exitCode: number | undefined;

  function handOn(data: Uint8Array): void {
    if (stage === "output" && data.length > 0) options.handle(data);
  }

  /** Consumes everything up to the marker; false when it has not arrived. */
  function advance(marker: Uint8Array): boolean {
    const { index, isWhole } = findMarker(held, marker);
    handOn(held.subarray(0, index));
    held = held.subarray(isWhole ? index + marker.length : index);
    return isWhole;
  }

  function readStatus(): void {
    const text = new TextDecoder().decode(held.subarray(0, statusBytesMax));
    const found = /^ (?<code>\d{1,3})\n/.exec(text)?.groups?.["code"];
    if (found === undefined) return;
    exitCode = Number(found);
    stage = "ended";
  }

  return {
    push(data) {
      if (stage === "ended") return;
      held = concatenate(held, data);
      if (stage === "before" && advance(start)) stage = "output";
      if (stage === "output" && advance(end)) stage = options.hasExitCode ? "status" : "ended";
      if (stage === "status") readStatus();
    },
    flush() {
      handOn(held);
      held = new Uint8Array(0);
    },
    hasEnded: () => stage === "ended",
    exitCode: () => exitCode,
  };
}

/** Where the marker is, or where the end of the data may be the beginning of one. */
function findMarker(data: Uint8Array, marker: Uint8Array): { index: number; isWhole: boolean } {
  for (
    let index = data.indexOf(markerByte);
    index !== -1;
    index = data.indexOf(markerByte, index + 1)
  ) {
    const part = data.subarray(index, index + marker.length);
    if (part.every((byte, at) => byte === marker[at])) {
      return { index, isWhole: part.length === marker.length };
    }
  }
  return { index: data.length, isWhole: false };
}

function concatenate(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (one.length === 0) return other;
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
