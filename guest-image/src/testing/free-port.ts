import { createServer } from "node:net";

/** Finds a TCP port of 127.0.0.1 on which nothing listens. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") {
          reject(new Error(`expected a TCP address, got ${String(address)}`));
        } else {
          resolve(address.port);
        }
      });
    });
  });
}
