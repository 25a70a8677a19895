import type { CookieSerializeOptions } from "@fastify/cookie";
import { dashboardHeader, WireError } from "@opencomputer/protocol/api";
import type { FastifyReply, FastifyRequest } from "fastify";
import type {
  DashboardSessionRepository,
  OpenDashboardSession,
} from "../../orgs/dashboard-session-repository.ts";
import type { HostPolicy } from "../dispatch/host-policy.ts";

/** Over TLS the prefix has browsers refuse the cookie from any other host, such as that of a preview. */
const cookieName = "oc_dashboard";
const secureCookieName = `__Host-${cookieName}`;
const safeMethods: readonly string[] = ["GET", "HEAD"];

/**
 * The sessions of browsers that have signed in to the dashboard. Their cookie
 * takes the place of an API key, for pages of this service's own origin alone:
 * SameSite does not keep it from pages of another port or of a preview.
 */
export interface DashboardSessions {
  /** Opens a session of the key, and gives the browser its cookie. */
  open(request: FastifyRequest, reply: FastifyReply, apiKeyId: string): Promise<void>;
  /**
   * Finds the session of a request's cookie.
   *
   * @throws {WireError} `origin_not_allowed` and `forbidden`, as {@link assertOwnPage}.
   */
  find(request: FastifyRequest): Promise<OpenDashboardSession | undefined>;
  /** Ends the session, and takes the cookie from the browser. */
  end(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /**
   * Refuses what a page of this service's own origin does not send.
   *
   * @throws {WireError} `origin_not_allowed`, `forbidden`
   */
  assertOwnPage(request: FastifyRequest): void;
}

export function createDashboardSessions(
  deps: { sessions: DashboardSessionRepository; hostPolicy: Pick<HostPolicy, "assertOwnOrigin"> },
  options: { publicUrl: string | undefined; trustsForwarded: boolean },
): DashboardSessions {
  const { sessions, hostPolicy } = deps;
  const publicScheme =
    options.publicUrl === undefined ? "http" : new URL(options.publicUrl).protocol;

  function isSecure({ headers }: FastifyRequest): boolean {
    const forwarded = options.trustsForwarded ? headers["x-forwarded-proto"] : undefined;
    const scheme =
      typeof forwarded === "string" && forwarded !== ""
        ? forwarded.split(",", 1)[0]?.trim()
        : publicScheme;
    return scheme?.replace(":", "") === "https";
  }

  function cookieOf(request: FastifyRequest): { name: string; options: CookieSerializeOptions } {
    const secure = isSecure(request);
    return {
      name: secure ? secureCookieName : cookieName,
      options: { path: "/", httpOnly: true, sameSite: "strict", secure },
    };
  }

  const valueIn = (request: FastifyRequest) => request.cookies[cookieOf(request).name];

  function assertOwnPage({ headers, method, ws }: FastifyRequest): void {
    const isSafe = safeMethods.includes(method) && !ws;
    // A browser leaves it out only where nothing is changed: Fetch, section 3.2.
    if (headers.origin !== undefined || !isSafe) hostPolicy.assertOwnOrigin(headers);
    // A WebSocket has no fields of the page's choice.
    if (ws || headers[dashboardHeader] !== undefined) return;
    throw new WireError(
      "forbidden",
      `The cookie of the dashboard is accepted only with the header field ${dashboardHeader}: send an X-API-Key instead`,
    );
  }

  return {
    assertOwnPage,

    async open(request, reply, apiKeyId) {
      const { value, expiresAt } = await sessions.start(apiKeyId);
      const cookie = cookieOf(request);
      reply.setCookie(cookie.name, value, { ...cookie.options, expires: expiresAt });
      request.cookies[cookie.name] = value;
    },

    async find(request) {
      const value = valueIn(request);
      if (value === undefined || value === "") return undefined;
      assertOwnPage(request);
      return sessions.find(value);
    },

    async end(request, reply) {
      const value = valueIn(request);
      if (value !== undefined) await sessions.end(value);
      const cookie = cookieOf(request);
      reply.clearCookie(cookie.name, cookie.options);
    },
  };
}
