import { get } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { Sandbox } from "@opencomputer/sdk";

const serviceUrl = new URL(process.env["OPENCOMPUTER_API_URL"] ?? "http://127.0.0.1:8080");

/** Gets the page at `url` from the service, whose preview hosts not every resolver knows. */
function visit(url: string, token?: string): Promise<{ status: number; page: string }> {
  return new Promise((resolve, reject) => {
    const { host } = new URL(url);
    const headers = token === undefined ? { host } : { host, authorization: `Bearer ${token}` };
    get(serviceUrl, { path: "/", headers, agent: false }, (response) => {
      text(response).then((page) => resolve({ status: response.statusCode ?? 0, page }), reject);
    }).on("error", reject);
  });
}

const sandbox = await Sandbox.create({
  timeout: 300,
  previewAuth: { scheme: "bearer", token: "auto" },
});
try {
  await sandbox.files.write("/workspace/index.html", "<h1>Hello from a sandbox</h1>\n");
  await sandbox.exec.startDetached("python3 -m http.server 3000 --bind 127.0.0.1", {
    cwd: "/workspace",
  });
  const { url } = await sandbox.createPreviewURL({ port: 3000 });
  console.log("preview:", url);

  console.log("without the token:", (await visit(url)).status);
  const token = sandbox.info.previewAuthToken ?? "";
  let visited = await visit(url, token);
  // 502 until the server listens.
  for (let tries = 0; visited.status === 502 && tries < 60; tries += 1) {
    await sleep(500);
    visited = await visit(url, token);
  }
  console.log("with it:", visited.status, visited.page.trim());
} finally {
  await sandbox.kill();
}
