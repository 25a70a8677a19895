import { fileURLToPath } from "node:url";
import { buildGuestImage } from "./build-guest-image.ts";

/** Images are large and slow to build: checkouts of one machine share them. */
const cacheDirectory =
  process.env["OPENCOMPUTER_IMAGE_CACHE_DIR"] || "/var/cache/opencomputer/guest-images";
const outputDirectory = fileURLToPath(new URL("../build", import.meta.url));

try {
  const startedAt = performance.now();
  const { manifest, origin } = await buildGuestImage({
    outputDirectory,
    cacheDirectory,
    onProgress: (line) => console.log(line),
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const name = `guest image ${manifest.fingerprint.slice(0, 12)} (Linux ${manifest.kernelVersion})`;
  const outcomes = {
    present: "up to date",
    cache: `taken from ${cacheDirectory}`,
    built: `built in ${seconds} s`,
  };
  console.log(`${name}: ${outcomes[origin]}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
