import { fileURLToPath } from "node:url";
import { buildGuestImage } from "./build-guest-image.ts";

const outputDirectory = fileURLToPath(new URL("../build", import.meta.url));

try {
  const startedAt = performance.now();
  const { manifest, built } = await buildGuestImage({
    outputDirectory,
    onProgress: (line) => console.log(line),
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const name = `guest image ${manifest.fingerprint.slice(0, 12)} (Linux ${manifest.kernelVersion})`;
  console.log(built ? `${name}: built in ${seconds} s` : `${name}: up to date`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
