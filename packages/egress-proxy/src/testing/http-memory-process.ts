// The data path and a small upstream in one process, for tests that measure
// its memory. Asked by IPC it tells the most that it has held since the last time.
import { readFileSync, writeFileSync } from "node:fs";
import type http from "node:http";
import { createGzip } from "node:zlib";
import { startExchange } from "./http-exchange-fixture.ts";
import { policyOf, secretOf } from "./http-policy.ts";

const mebibyte = Buffer.alloc(1024 * 1024, "x");

function upstream(request: http.IncomingMessage, response: http.ServerResponse): void {
  if (request.url === "/endless") {
    const fill = () => {
      while (response.write(mebibyte));
    };
    response.on("drain", fill);
    fill();
  } else if (request.url === "/bomb") {
    response.setHeader("Content-Encoding", "gzip");
    const gzip = createGzip();
    gzip.pipe(response);
    let left = 300;
    const fill = () => {
      while (left > 0) {
        left -= 1;
        if (!gzip.write(mebibyte)) {
          gzip.once("drain", fill);
          return;
        }
      }
      gzip.end();
    };
    fill();
  } else {
    request.pipe(response);
  }
}

/** proc(5): the peak is set back to what is held now. */
function takePeak(): number {
  const kibibytes = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  globalThis.gc?.();
  writeFileSync("/proc/self/clear_refs", "5");
  return kibibytes * 1024;
}

const exchange = await startExchange({
  policy: policyOf([secretOf("KEY", "a", "sk-a-real-value-of-some-length")]),
  upstream,
});
process.on("message", () => process.send?.({ rss: takePeak() }));
process.on("disconnect", () => process.exit(0));
process.send?.({ port: exchange.port });
