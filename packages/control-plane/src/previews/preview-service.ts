import {
  type createPreviewRequestSchema,
  limits,
  type PreviewLink,
  type PreviewRecord,
  type RotatedPreviewAuth,
  WireError,
} from "@opencomputer/protocol/api";
import { previewHostname } from "@opencomputer/protocol/wire";
import type { z } from "zod";
import { findPresentSandbox } from "../sandboxes/rows/find-sandbox.ts";
import type { SandboxRepository } from "../sandboxes/rows/sandbox-repository.ts";
import { type ReservedHosts, readCustomHostname } from "./custom-hostname.ts";
import type { PreviewRepository, PreviewRow } from "./preview-repository.ts";
import { hashPreviewToken, mintPreviewToken, openPreviewPath } from "./preview-token.ts";

/** Where the caller reached the API. */
export interface ApiOrigin {
  protocol: string;
  /** The host with its port. */
  host: string;
  hostname: string;
}

/**
 * Previews of sandboxes, as their owners see them. Every method throws a `WireError`:
 * `sandbox_not_found`, `sandbox_not_running`.
 */
export function createPreviewService(deps: {
  sandboxes: SandboxRepository;
  previews: PreviewRepository;
  reserved: ReservedHosts;
  publicUrl: string | undefined;
  /** Ends the connections that the former token opened. */
  endAuthorized: (sandboxId: string) => void;
  now: () => number;
}) {
  const { previews, reserved, publicUrl } = deps;
  const publicOrigin = publicUrl === undefined ? undefined : new URL(publicUrl);

  /** Previews are served by the API's own server, so the port of one is that of the other. */
  function urlOf(hostname: string, origin: ApiOrigin): string {
    const base = publicOrigin ?? new URL(`${origin.protocol}://${origin.host}`);
    return `${base.protocol}//${hostname}${base.port === "" ? "" : `:${base.port}`}`;
  }

  function describe(row: PreviewRow, origin: ApiOrigin): PreviewRecord {
    const hostname = previewHostname(row, reserved.sandboxDomain);
    return {
      id: row.id,
      sandboxId: row.sandboxId,
      orgId: row.orgId,
      hostname,
      port: row.port,
      ...(row.customHostname === null ? {} : { customHostname: row.customHostname }),
      sslStatus: publicOrigin?.protocol === "https:" ? "external" : "none",
      authConfig: row.authConfig,
      url: urlOf(hostname, origin),
      createdAt: row.createdAt.toISOString(),
    };
  }

  const find = (orgId: string, sandboxId: string) =>
    findPresentSandbox(deps.sandboxes, orgId, sandboxId);

  return {
    /** Creates the preview of a port, or changes the one that exists. */
    async create(
      orgId: string,
      sandboxId: string,
      request: z.output<typeof createPreviewRequestSchema>,
      origin: ApiOrigin,
    ): Promise<{ preview: PreviewRecord; isNew: boolean }> {
      await find(orgId, sandboxId);
      const { port, domain, authConfig } = request;
      const customHostname = domain
        ? readCustomHostname(domain, reserved, origin.hostname)
        : undefined;
      const changes = { customHostname, authConfig: authConfig ?? undefined };
      const { row, isNew } = await previews.put(orgId, { sandboxId, port }, changes);
      return { preview: describe(row, origin), isNew };
    },

    async list(orgId: string, sandboxId: string, origin: ApiOrigin): Promise<PreviewRecord[]> {
      const { id } = await find(orgId, sandboxId);
      return (await previews.list(orgId, id)).map((row) => describe(row, origin));
    },

    /** @throws {WireError} `preview_not_found` */
    async remove(orgId: string, sandboxId: string, port: number): Promise<void> {
      const { id } = await find(orgId, sandboxId);
      if (!(await previews.delete(orgId, id, port))) throw previewNotFound(id, port);
    },

    /** Gives all previews of the sandbox a new token; those that needed none need it from now on. */
    async rotate(orgId: string, sandboxId: string): Promise<RotatedPreviewAuth> {
      const { id } = await find(orgId, sandboxId);
      const previewAuthToken = mintPreviewToken();
      if (!(await previews.setTokenHash(orgId, id, hashPreviewToken(previewAuthToken)))) {
        throw new WireError("sandbox_not_running", `Sandbox ${id} is stopped`, {
          remediation: "oc create",
        });
      }
      await previews.deleteLinks(orgId, id);
      deps.endAuthorized(id);
      return { previewAuthToken, scheme: "bearer" };
    },

    /** A URL that opens the preview in a browser. @throws {WireError} `preview_not_found` */
    async link(
      orgId: string,
      sandboxId: string,
      port: number,
      origin: ApiOrigin,
    ): Promise<PreviewLink> {
      const { id, previewTokenHash } = await find(orgId, sandboxId);
      const row = await previews.find(orgId, id, port);
      if (row === undefined) throw previewNotFound(id, port);
      const url = new URL(urlOf(previewHostname(row, reserved.sandboxDomain), origin));
      if (previewTokenHash === null) return { url: url.href, expiresAt: null };
      const code = mintPreviewToken();
      const expiresAt = new Date(deps.now() + limits.previewLinkSecondsMax * 1000);
      await previews.insertLink({
        orgId,
        previewId: row.id,
        codeHash: hashPreviewToken(code),
        expiresAt,
      });
      url.pathname = openPreviewPath;
      url.searchParams.set("code", code);
      return { url: url.href, expiresAt: expiresAt.toISOString() };
    },
  };
}
export type PreviewService = ReturnType<typeof createPreviewService>;

function previewNotFound(sandboxId: string, port: number): WireError {
  return new WireError(
    "preview_not_found",
    `Sandbox ${sandboxId} has no preview of port ${port}: create it first`,
    { remediation: `oc preview create ${sandboxId} --port ${port}` },
  );
}
