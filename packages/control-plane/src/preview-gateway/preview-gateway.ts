import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { WireError } from "@opencomputer/protocol/api";
import { hostOfAuthority, isInSandboxDomain } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { IsApiName } from "../previews/api-names.ts";
import type { OpenPreview } from "../previews/preview-repository.ts";
import { describeFailure } from "./describe-failure.ts";
import { noSuchPreview, sendFailure } from "./failure-page.ts";
import { createPreviewFinder } from "./find-preview.ts";
import { openUpgradeResponse } from "./open-upgrade-response.ts";
import { createOpenVisits } from "./open-visits.ts";
import { readTarget } from "./request-fields.ts";
import { createServeVisit, type UpgradedConnection, type VisitParts } from "./serve-visit.ts";

/** Serves the requests for previews, on the server of the API and before its routes. */
export interface PreviewGateway {
  /** Serves a request when its host is a preview's, or could be one; else leaves it to `serveApi`. */
  request(request: IncomingMessage, response: ServerResponse, serveApi: () => void): void;
  /** As {@link request}, for one that is to become a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, serveApi: () => void): void;
  /** Ends the connections of a sandbox's previews that a token or a cookie had opened. */
  endAuthorized(sandboxId: string): void;
  /** Ends every WebSocket; requests under way may still end by themselves. */
  close(): void;
}

export interface PreviewGatewayOptions {
  sandboxDomain: string;
  /** Host and scheme of OPENCOMPUTER_PUBLIC_URL. */
  publicUrl: string | undefined;
  isApiName: IsApiName;
  /** Whether a proxy of the operator's sets X-Forwarded-For, -Host and -Proto. */
  trustsForwarded: boolean;
}

/** The errors of a request whose machine may have ended by itself. */
const suspicious: readonly string[] = ["sandbox_not_running", "worker_unavailable", "guest_failed"];

export function createPreviewGateway(
  deps: VisitParts & { logger: Logger },
  options: PreviewGatewayOptions,
): PreviewGateway {
  const { previews, lifecycle, logger } = deps;
  const { sandboxDomain, publicUrl, trustsForwarded } = options;
  const isSecure = publicUrl !== undefined && new URL(publicUrl).protocol === "https:";
  const { isApiHost, find } = createPreviewFinder(previews, options);
  const visits = createOpenVisits();
  const serveVisit = createServeVisit(
    { ...deps, visits },
    { sandboxDomain, scheme: isSecure ? "https" : "http", trustsForwarded },
  );

  /** Reconciles the row, so that the next request finds the sandbox hibernated and wakes it. */
  function reconcileAfter(error: unknown, { orgId, sandboxId }: OpenPreview): void {
    if (!(error instanceof WireError) || !suspicious.includes(error.code)) return;
    if (lifecycle.isHeld(sandboxId)) return;
    lifecycle.reconcile(orgId, sandboxId).catch((cause: unknown) => {
      logger.warn({ sandboxId, err: cause }, "a sandbox is reconciled later");
    });
  }

  /** Serves a request for `host`, or leaves it to the API. Never rejects. */
  async function route(
    request: IncomingMessage,
    openResponse: () => ServerResponse,
    upgrade: UpgradedConnection | undefined,
    serveApi: () => void,
  ): Promise<void> {
    const target = readTarget(request);
    const host = hostOfAuthority(target.authority);
    if (host === undefined || isApiHost(host)) return serveApi();
    let response: ServerResponse | undefined;
    let preview: OpenPreview | undefined;
    try {
      preview = await find(host);
      if (preview === undefined && !isInSandboxDomain(host, sandboxDomain)) return serveApi();
      response = openResponse();
      if (preview === undefined) return sendFailure(request, response, noSuchPreview);
      await serveVisit({ preview, host, ...target }, request, response, upgrade);
    } catch (error) {
      response ??= openResponse();
      logger.info({ sandboxId: preview?.sandboxId, err: error }, "a preview request failed");
      if (preview !== undefined) reconcileAfter(error, preview);
      if (response.headersSent) response.destroy();
      else sendFailure(request, response, describeFailure(error, preview?.port ?? 0));
    }
  }

  return {
    request(request, response, serveApi) {
      void route(request, () => response, undefined, serveApi);
    },

    upgrade(request, socket, head, serveApi) {
      // node:http has taken its own listener away.
      socket.on("error", () => socket.destroy());
      void route(request, () => openUpgradeResponse(request), { socket, head }, serveApi);
    },

    endAuthorized: visits.endAuthorized,
    close: visits.endWebSockets,
  };
}
