import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import {
  hostOfAuthority,
  isInSandboxDomain,
  parsePreviewHost,
  WireError,
} from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { IsApiName } from "../http/api-names.ts";
import { openPreviewPath } from "../previews/open-preview-path.ts";
import type { OpenPreview, PreviewRepository } from "../previews/preview-repository.ts";
import type { PreviewSessions } from "../previews/preview-sessions.ts";
import type { SandboxActivity } from "../sandboxes/sandbox-activity.ts";
import type { SandboxLifecycle } from "../sandboxes/sandbox-lifecycle.ts";
import { authorizePreview } from "./authorize-preview.ts";
import { describeFailure } from "./describe-failure.ts";
import { noSuchPreview, sendFailure } from "./failure-page.ts";
import { type Forwarded, forwardRequest } from "./forward-request.ts";
import { forwardWebSocket } from "./forward-web-socket.ts";
import { openLink } from "./open-link.ts";
import { openUpgradeResponse } from "./open-upgrade-response.ts";
import { requestBody } from "./request-body.ts";
import { requestFields } from "./request-fields.ts";
import { readTarget } from "./request-target.ts";
import { TunnelAgent } from "./tunnel-agent.ts";

interface Visit {
  preview: OpenPreview;
  authority: string;
  host: string;
  path: string;
}

/** Serves what is asked of previews, on the server of the API and before its routes. */
export interface PreviewGateway {
  /** Serves a request when its host is a preview's, or could be one; else leaves it to `serveApi`. */
  request(request: IncomingMessage, response: ServerResponse, serveApi: () => void): void;
  /** As {@link request}, for one with Upgrade. */
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

/** What a request fails with when the machine under it has ended by itself. */
const suspicious: readonly string[] = ["sandbox_not_running", "worker_unavailable", "guest_failed"];

export function createPreviewGateway(
  deps: {
    previews: PreviewRepository;
    sessions: PreviewSessions;
    activity: SandboxActivity;
    lifecycle: SandboxLifecycle;
    openTunnel: ConstructorParameters<typeof TunnelAgent>[0];
    now: () => number;
    logger: Logger;
  },
  { sandboxDomain, publicUrl, isApiName, trustsForwarded }: PreviewGatewayOptions,
): PreviewGateway {
  const { previews, sessions, activity, lifecycle, logger } = deps;
  const agent = new TunnelAgent(deps.openTunnel);
  const publicOrigin = publicUrl === undefined ? undefined : new URL(publicUrl);
  const scheme = publicOrigin?.protocol === "https:" ? "https" : "http";
  const webSockets = new Set<() => void>();
  const authorized = new Map<string, Set<() => void>>();

  /** Whether a host is surely the API's, so that no preview is looked up: not even one that has its name. */
  function isApiHost(host: string | undefined): boolean {
    if (host === undefined || host === publicOrigin?.hostname) return true;
    if (isInSandboxDomain(host, sandboxDomain)) return false;
    if (isApiName(host)) return true;
    return isIP(host.replace(/^\[|\]$/g, "")) !== 0 || !host.includes(".");
  }

  async function find(host: string): Promise<OpenPreview | undefined> {
    if (!isInSandboxDomain(host, sandboxDomain)) return previews.findByCustomHostname(host);
    const target = parsePreviewHost(host, sandboxDomain);
    return target === undefined ? undefined : previews.findByPort(target);
  }

  /** Begins a use of the sandbox, which is woken for it, and which `end` ends. */
  async function begin(
    { orgId, sandboxId, state, machineId }: OpenPreview,
    abort: AbortController,
  ) {
    let hasBegun = false;
    const end = activity.begin(
      sandboxId,
      (reason) => {
        if (hasBegun) abort.abort(reason);
      },
      "preview",
    );
    try {
      const isSettled = state === "running" && !lifecycle.isHeld(sandboxId);
      const machine = isSettled ? { machineId } : await lifecycle.ensureRunning(orgId, sandboxId);
      hasBegun = true;
      return { end, machineId: machine.machineId };
    } catch (error) {
      end();
      throw error;
    }
  }

  function untilRotated(sandboxId: string, end: () => void): () => void {
    const ends = authorized.get(sandboxId) ?? new Set();
    authorized.set(sandboxId, ends.add(end));
    return () => {
      ends.delete(end);
      if (ends.size === 0 && authorized.get(sandboxId) === ends) authorized.delete(sandboxId);
    };
  }

  /** Has the row held against the machine, so that the next request finds it hibernated and wakes it. */
  function settleAfter(error: unknown, { orgId, sandboxId }: OpenPreview): void {
    if (!(error instanceof WireError) || !suspicious.includes(error.code)) return;
    if (lifecycle.isHeld(sandboxId)) return;
    lifecycle.settle(orgId, sandboxId).catch((cause: unknown) => {
      logger.warn({ sandboxId, err: cause }, "a sandbox is settled at the next upkeep");
    });
  }

  async function serve(
    visit: Visit,
    request: IncomingMessage,
    response: ServerResponse,
    upgrade: { socket: Duplex; head: Buffer } | undefined,
  ): Promise<void> {
    const { preview, authority, host } = visit;
    const isSecure = forwardedScheme(request) === "https";
    const [path = "", query = ""] = visit.path.split("?", 2);
    if (preview.previewTokenHash !== null && path === openPreviewPath) {
      const { previewTokenHash } = preview;
      const link = { host, query: new URLSearchParams(query), isSecure };
      return openLink(deps, { ...preview, previewTokenHash }, link, request, response);
    }
    const authorization = authorizePreview(request, preview, { host, sandboxDomain }, sessions);
    if (!authorization.isAllowed) {
      return sendFailure(request, response, {
        status: 401,
        title: "Authentication required",
        body: { error: authorization.error },
        headers: { "WWW-Authenticate": 'Bearer realm="preview"' },
        isJsonOnly: true,
      });
    }
    const isWebSocket =
      upgrade !== undefined && request.headers.upgrade?.toLowerCase() === "websocket";
    const body = isWebSocket ? null : requestBody(request, upgrade?.head);
    if (body === undefined) {
      return sendFailure(request, response, {
        status: 501,
        title: "Not supported",
        body: { error: "This form of request body cannot be passed on", code: "invalid_request" },
      });
    }
    const abort = new AbortController();
    const stopWatching =
      preview.previewTokenHash === null
        ? () => undefined
        : untilRotated(preview.sandboxId, () =>
            abort.abort(new WireError("outcome_unknown", "The token was rotated")),
          );
    let end = (): void => undefined;
    try {
      const begun = await begin(preview, abort);
      end = begun.end;
      const { sandboxId, port } = preview;
      const forwarded = {
        target: { sandboxId, port, machineId: begun.machineId },
        method: request.method ?? "GET",
        path: visit.path,
        fields: requestFields(request, {
          authority,
          scheme,
          trustsForwarded,
          dropsAuthorization: authorization.dropsAuthorization,
          isWebSocket,
        }),
        host,
        signal: abort.signal,
      };
      if (isWebSocket) await serveWebSocket(forwarded, { ...upgrade, response }, abort, end);
      else await forwardRequest(agent, { ...forwarded, body }, response);
    } finally {
      end();
      stopWatching();
    }
  }

  async function serveWebSocket(
    forwarded: Omit<Forwarded, "body">,
    visitor: { socket: Duplex; head: Buffer; response: ServerResponse },
    abort: AbortController,
    endOpening: () => void,
  ): Promise<void> {
    const { sandboxId } = forwarded.target;
    const joined = await forwardWebSocket(agent, forwarded, visitor, () =>
      activity.begin(sandboxId, undefined, "preview")(),
    );
    if (joined === undefined) return;
    // From here on its traffic counts as use, and not that it is open.
    endOpening();
    const unwatch = activity.watch(sandboxId, () => joined.end());
    abort.signal.addEventListener("abort", joined.end, { once: true });
    webSockets.add(joined.end);
    if (abort.signal.aborted) joined.end();
    await joined.ended;
    webSockets.delete(joined.end);
    unwatch();
  }

  function forwardedScheme({ headers }: IncomingMessage): string {
    const told = trustsForwarded ? headers["x-forwarded-proto"] : undefined;
    return typeof told === "string" && told !== ""
      ? (told.split(",", 1)[0]?.trim() ?? scheme)
      : scheme;
  }

  /** Serves a request for `host`, or leaves it to the API. Never rejects. */
  async function route(
    request: IncomingMessage,
    openResponse: () => ServerResponse,
    upgrade: { socket: Duplex; head: Buffer } | undefined,
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
      await serve({ preview, host, ...target }, request, response, upgrade);
    } catch (error) {
      response ??= openResponse();
      logger.info({ sandboxId: preview?.sandboxId, err: error }, "a preview request failed");
      if (preview !== undefined) settleAfter(error, preview);
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

    endAuthorized(sandboxId) {
      for (const end of [...(authorized.get(sandboxId) ?? [])]) end();
    },

    close() {
      for (const end of webSockets) end();
    },
  };
}
