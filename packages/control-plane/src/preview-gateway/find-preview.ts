import { isIP } from "node:net";
import { isInSandboxDomain, parsePreviewHost } from "@opencomputer/protocol/wire";
import type { IsApiName } from "../previews/api-names.ts";
import type { OpenPreview, PreviewRepository } from "../previews/preview-repository.ts";

/** Distinguishes the hosts of previews from those of the API. */
export interface PreviewFinder {
  /** Whether a host is surely the API's, so that no preview is looked up, not even one of its name. */
  isApiHost(host: string | undefined): boolean;
  find(host: string): Promise<OpenPreview | undefined>;
}

export function createPreviewFinder(
  previews: Pick<PreviewRepository, "findByPort" | "findByCustomHostname">,
  options: { sandboxDomain: string; publicUrl: string | undefined; isApiName: IsApiName },
): PreviewFinder {
  const { sandboxDomain, publicUrl, isApiName } = options;
  const publicHost = publicUrl === undefined ? undefined : new URL(publicUrl).hostname;

  return {
    isApiHost(host) {
      if (host === undefined || host === publicHost) return true;
      if (isInSandboxDomain(host, sandboxDomain)) return false;
      if (isApiName(host)) return true;
      return isIP(host.replace(/^\[|\]$/g, "")) !== 0 || !host.includes(".");
    },

    async find(host) {
      if (!isInSandboxDomain(host, sandboxDomain)) return previews.findByCustomHostname(host);
      const target = parsePreviewHost(host, sandboxDomain);
      return target === undefined ? undefined : previews.findByPort(target);
    },
  };
}
