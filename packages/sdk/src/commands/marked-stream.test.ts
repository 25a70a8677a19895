import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createMarkedStream } from "./marked-stream.ts";
import { createCommandMarkers } from "./shell-script.ts";

/** A linear congruential generator: the same numbers for the same seed, everywhere. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function read(pieces: readonly Uint8Array[], hasExitCode: boolean, markers = fixed) {
  const found: Uint8Array[] = [];
  const handle = (data: Uint8Array) => void found.push(Uint8Array.from(data));
  const stream = createMarkedStream(markers, { hasExitCode, handle });
  for (const piece of pieces) stream.push(piece);
  return { stream, output: Buffer.concat(found).toString("latin1") };
}

const fixed = createCommandMarkers();

describe("createMarkedStream", () => {
  test("hands on what is between the markers, wherever the stream is cut", () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = createRandom(seed);
      const markers = createCommandMarkers();
      const alphabet = ["a", "\u0001", markers.start.slice(0, 9), markers.end.slice(0, 20), "\n"];
      const noise = () =>
        Array.from({ length: random(20) }, () => alphabet[random(alphabet.length)]).join("");
      const [before, output, after] = [noise(), noise(), noise()];
      const text = `${before}${markers.start}${output}${markers.end} ${seed % 256}\n${after}`;
      const bytes = Buffer.from(text, "latin1");
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; ) {
        const next = at + 1 + random(40);
        pieces.push(bytes.subarray(at, next));
        at = next;
      }
      const { stream, output: found } = read(pieces, true, markers);
      assert.deepEqual([found, stream.exitCode()], [output, seed % 256], `seed ${seed}`);
    }
  });

  test("holds nothing back but the possible beginning of a marker", () => {
    const { stream, output } = read(
      [Buffer.from(`${fixed.start}out${fixed.end.slice(0, 5)}`)],
      false,
    );
    assert.equal(output, "out");
    stream.push(Buffer.from("no marker"));
    assert.equal(stream.hasEnded(), false);
  });

  test("flush hands on what was held back; before the start marker nothing is handed on", () => {
    const found: string[] = [];
    const options = {
      hasExitCode: false,
      handle: (data: Uint8Array) => void found.push(Buffer.from(data).toString()),
    };
    const begun = createMarkedStream(fixed, options);
    begun.push(Buffer.from(`${fixed.start}out\u0001`));
    begun.flush();
    assert.deepEqual(found, ["out", "\u0001"]);
    const idle = createMarkedStream(fixed, options);
    idle.push(Buffer.from("never begun"));
    idle.flush();
    assert.equal(found.length, 2);
  });

  test("an incomplete exit code is waited for", () => {
    const { stream } = read([Buffer.from(`${fixed.start}${fixed.end} x\n`)], true);
    assert.deepEqual([stream.hasEnded(), stream.exitCode()], [false, undefined]);
  });
});
