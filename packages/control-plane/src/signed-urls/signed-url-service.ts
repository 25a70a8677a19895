import { defaults, type SignedUrl, type SignedUrlRequest } from "@opencomputer/protocol/api";
import type { UrlSignatures } from "./url-signatures.ts";

/** What a signed URL does with its file, and the route that it leads to. */
export type SignedAction =
  | { method: "GET"; target: "download" }
  | { method: "PUT"; target: "upload" };

/** Makes URLs that open one file without a key. */
export interface SignedUrlService {
  /** @param originOfCaller Where the caller reached the API, such as `http://127.0.0.1:8080`; asked only without a public URL. */
  sign(
    file: { orgId: string; sandboxId: string } & SignedAction & SignedUrlRequest,
    originOfCaller: () => string,
  ): SignedUrl;
}

export function createSignedUrlService(deps: {
  signatures: UrlSignatures;
  /** Where clients reach the API; undefined when that is where a caller reached it. */
  publicUrl: string | undefined;
  now: () => number;
}): SignedUrlService {
  return {
    sign({ orgId, sandboxId, method, target, path, expiresIn }, originOfCaller) {
      const expires = Math.ceil(deps.now() / 1000) + (expiresIn ?? defaults.signedUrlSeconds);
      const base = deps.publicUrl ?? originOfCaller();
      const url = new URL(`${base}/api/sandboxes/${sandboxId}/files/${target}`);
      url.searchParams.set("path", path);
      url.searchParams.set("expires", String(expires));
      url.searchParams.set("org", orgId);
      url.searchParams.set(
        "signature",
        deps.signatures.sign({ method, orgId, sandboxId, path, expires }),
      );
      return { url: url.href, expiresAt: new Date(expires * 1000).toISOString() };
    },
  };
}
