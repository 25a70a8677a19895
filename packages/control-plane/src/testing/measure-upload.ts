import { request as httpRequest, type RequestOptions } from "node:http";

const chunk = Buffer.alloc(1024 * 1024);

/** Sends zeros to a URL as fast as it takes them; the status, and by how many bytes this process grew. */
export async function measureUpload(
  url: string,
  options: RequestOptions,
  bytes: number,
): Promise<{ status: number | undefined; grownBytes: number }> {
  const before = process.memoryUsage().rss;
  let peak = before;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = httpRequest(url, options, (response) => resolve(response.statusCode));
    request.on("error", reject);
    let sent = 0;
    const send = (): void => {
      while (sent < bytes) {
        sent += chunk.length;
        peak = Math.max(peak, process.memoryUsage().rss);
        if (!request.write(chunk)) {
          request.once("drain", send);
          return;
        }
      }
      request.end();
    };
    send();
  });
  return { status, grownBytes: peak - before };
}
