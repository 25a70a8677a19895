/** A program that sends a request to a URL, of which the last part is its own name. */
export interface TrustClient {
  name: string;
  /** A line of a shell without any variable but PATH. */
  command: (url: string) => string;
}

/** Where the packages of `.cache/guest-clients/python` are in the root. */
export const pythonPackages = "/opt/clients/python";
export const pythonProgram = "/opt/clients/client.py";
export const goProgram = "/opt/clients/go-client";

/** Clients of the image, Python packages that carry their own authorities, and a static Go program. */
export const imageClients: readonly TrustClient[] = [
  { name: "curl", command: (url) => `curl -sS ${url}` },
  { name: "wget", command: (url) => `wget --tries 1 -qO- ${url}` },
  { name: "git", command: (url) => `git ls-remote ${url}` },
  {
    name: "openssl",
    command: (url) => {
      const { host, hostname, pathname } = new URL(url);
      return `printf 'GET ${pathname} HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -verify_return_error -servername ${hostname} -connect ${host}`;
    },
  },
  { name: "node-fetch", command: (url) => `node -e 'fetch("${url}")'` },
  { name: "node-https", command: (url) => `node -e 'require("https").get("${url}")'` },
  { name: "npm", command: (url) => `npm view --fetch-retries 0 --registry ${url} none` },
  { name: "pip", command: (url) => `pip download -q --retries 0 --index-url ${url} none` },
  {
    name: "urllib",
    command: (url) => `python3 -c 'import urllib.request as r; r.urlopen("${url}")'`,
  },
  ...["requests", "httpx", "aiohttp", "grpcio", "certifi"].map((name) => ({
    name,
    command: (url: string) =>
      `PYTHONPATH=${pythonPackages} python3 -B ${pythonProgram} ${name} ${url}`,
  })),
  { name: "go", command: (url) => `${goProgram} ${url}` },
];
