import fastifyStatic from "@fastify/static";
import type { FastifyPluginAsync } from "fastify";

/** `Cache-Control` of files whose names contain a digest of their content. */
const immutable = "public, max-age=31536000, immutable";

/**
 * What the page of the dashboard may load and do. Scripts are files of this
 * service alone. Styles may be in the page: its terminal and its components
 * make style elements.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * The built files of the dashboard: its page at `/`, and what the page loads
 * below `/assets`. Each file has a route of its own; no path leads elsewhere.
 */
export const dashboardFileRoutes: FastifyPluginAsync<{ directory: string }> = async (
  app,
  { directory },
) => {
  app.addHook("onRequest", async (_request, reply) => {
    reply.headers({
      "content-security-policy": contentSecurityPolicy,
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-frame-options": "DENY",
    });
  });
  await app.register(fastifyStatic, {
    root: directory,
    wildcard: false,
    index: ["index.html"],
    preCompressed: true,
    cacheControl: false,
    setHeaders: (reply, path) => {
      reply.header("cache-control", path.includes("/assets/") ? immutable : "no-cache");
    },
  });
};
