import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { hasRequestBody } from "@opencomputer/process";
import { WireError } from "@opencomputer/protocol/api";
import type { OpenPreview, PreviewRepository } from "../previews/preview-repository.ts";
import type { PreviewSessions } from "../previews/preview-sessions.ts";
import { openPreviewPath } from "../previews/preview-token.ts";
import type { SandboxActivity } from "../sandboxes/lifecycle/sandbox-activity.ts";
import type { SandboxLifecycle } from "../sandboxes/lifecycle/sandbox-lifecycle.ts";
import type { Workers } from "../worker/workers.ts";
import { authorizePreview } from "./authorize-preview.ts";
import { sendFailure } from "./failure-page.ts";
import { type Forwarded, forwardRequest } from "./forward-request.ts";
import { forwardWebSocket } from "./forward-web-socket.ts";
import { openLink } from "./open-link.ts";
import type { OpenVisits } from "./open-visits.ts";
import { requestFields } from "./request-fields.ts";
import { TunnelAgent } from "./tunnel-agent.ts";

/** A request for a preview that exists. */
export interface Visit {
  preview: OpenPreview;
  authority: string;
  host: string;
  path: string;
}

/** The connection of a request for a WebSocket. */
export interface UpgradedConnection {
  socket: Duplex;
  head: Buffer;
}

/** What a visit needs of the sandboxes and their previews. */
export interface VisitParts {
  previews: PreviewRepository;
  sessions: PreviewSessions;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  workers: Pick<Workers, "of">;
  now: () => number;
}

export type ServeVisit = (
  visit: Visit,
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: UpgradedConnection | undefined,
) => Promise<void>;

/**
 * Serves a request for a preview: opens its link, or authorizes it, wakes the
 * sandbox and forwards the request to the sandbox's server.
 *
 * Rejects when the sandbox or its server fails.
 */
export function createServeVisit(
  deps: VisitParts & { visits: OpenVisits },
  options: {
    sandboxDomain: string;
    /** The scheme under which visitors reach this server, unless a trusted proxy sets it. */
    scheme: "http" | "https";
    trustsForwarded: boolean;
  },
): ServeVisit {
  const { sessions, activity, lifecycle, workers, visits } = deps;
  const { sandboxDomain, scheme, trustsForwarded } = options;
  const agent = new TunnelAgent((target) =>
    workers.of({ id: target.sandboxId }).openTunnel(target),
  );

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
      const isRunning = state === "running" && !lifecycle.isHeld(sandboxId);
      const machine = isRunning ? { machineId } : await lifecycle.ensureRunning(orgId, sandboxId);
      hasBegun = true;
      return { end, machineId: machine.machineId };
    } catch (error) {
      end();
      throw error;
    }
  }

  async function serveWebSocket(
    forwarded: Omit<Forwarded, "body">,
    visitor: UpgradedConnection & { response: ServerResponse },
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
    const unfollow = visits.followWebSocket(joined.end);
    if (abort.signal.aborted) joined.end();
    await joined.ended;
    unfollow();
    unwatch();
  }

  function schemeOf({ headers }: IncomingMessage): string {
    const forwarded = trustsForwarded ? headers["x-forwarded-proto"] : undefined;
    if (typeof forwarded !== "string" || forwarded === "") return scheme;
    return forwarded.split(",", 1)[0]?.trim() ?? scheme;
  }

  return async (visit, request, response, upgrade) => {
    const { preview, authority, host } = visit;
    const [path = "", query = ""] = visit.path.split("?", 2);
    if (preview.previewTokenHash !== null && path === openPreviewPath) {
      const { previewTokenHash } = preview;
      const isSecure = schemeOf(request) === "https";
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
    const body = upgrade === undefined ? requestBody(request) : null;
    if (body === undefined) {
      return sendFailure(request, response, {
        status: 501,
        title: "Not supported",
        body: { error: "This form of request body cannot be forwarded", code: "invalid_request" },
      });
    }
    const abort = new AbortController();
    const stopFollowing =
      preview.previewTokenHash === null
        ? () => undefined
        : visits.followAuthorized(preview.sandboxId, () =>
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
          isWebSocket: upgrade !== undefined,
        }),
        host,
        signal: abort.signal,
      };
      if (upgrade === undefined) await forwardRequest(agent, { ...forwarded, body }, response);
      else await serveWebSocket(forwarded, { ...upgrade, response }, abort, end);
    } finally {
      end();
      stopFollowing();
    }
  };
}

/** The body of a request: null when it has none, undefined when it cannot be passed on. */
function requestBody(request: IncomingMessage): IncomingMessage | null | undefined {
  const coding = request.headers["transfer-encoding"]?.toLowerCase();
  if (coding !== undefined && coding !== "chunked") return undefined;
  return hasRequestBody(request.headers) ? request : null;
}
