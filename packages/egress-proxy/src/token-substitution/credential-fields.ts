/**
 * Header fields by whether a value may go into them.
 *
 * The lists name fields that carry no credential, because each service chooses
 * the names of those that do (`x-api-key`, `cookie`, `private-token`, …). Servers
 * store, show or act on the listed fields: a value there would be published, or
 * would change the request. A secret that belongs in one of them names it
 * (`header:NAME`).
 */

/** Fields that frame or route the message. The proxy writes them itself; no placement opens them. */
const framing: readonly string[] = [
  "connection",
  "content-encoding",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "max-forwards",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Fields that identify the client and the page: written to logs and shown in statistics. */
const sender: readonly string[] = [
  "dnt",
  "email",
  "from",
  "http-referer",
  "origin",
  "referer",
  "referrer",
  "save-data",
  "sender",
  "upgrade-insecure-requests",
  "user-agent",
  "x-app",
  "x-client-info",
  "x-client-name",
  "x-email",
  "x-goog-api-client",
  "x-mailer",
  "x-origin",
  "x-requested-with",
];

/** Fields with the route of the request: logged, shown, and trusted by routers. */
const route: readonly string[] = [
  "alt-used",
  "cdn-loop",
  "cf-ipcountry",
  "cf-ray",
  "client-ip",
  "early-data",
  "forwarded",
  "via",
  "x-cluster-client-ip",
  "x-forwarded",
  "x-host",
  "x-http-host-override",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-host",
  "x-original-uri",
  "x-original-url",
  "x-real-ip",
  "x-remote-addr",
  "x-remote-ip",
  "x-rewrite-url",
];

/** Fields that ask for a form, a part or a time: they determine what the server sends or does. */
const conditions: readonly string[] = [
  "a-im",
  "accept",
  "cache-control",
  "date",
  "delay",
  "depth",
  "destination",
  "if",
  "lock-token",
  "overwrite",
  "pragma",
  "prefer",
  "priority",
  "range",
  "request-range",
  "soapaction",
  "timeout",
  "want-digest",
  "warning",
  "x-amz-copy-source",
  "x-amz-date",
  "x-amz-target",
  "x-copy-from",
  "x-delay",
  "x-goog-copy-source",
  "x-goog-date",
  "x-ms-copy-source",
  "x-ms-date",
  "x-ms-rename-source",
  "x-priority",
  "x-range",
];

/** Fields that describe what is stored: kept next to the content and returned to every reader. */
const descriptions: readonly string[] = [
  "actions",
  "attach",
  "bcc",
  "cc",
  "click",
  "comment",
  "description",
  "digest",
  "dropbox-api-arg",
  "file-name",
  "filename",
  "icon",
  "link",
  "location",
  "message",
  "message-id",
  "mime-version",
  "name",
  "note",
  "reply-to",
  "repr-digest",
  "slug",
  "sourcemap",
  "subject",
  "tags",
  "title",
  "to",
  "topic",
  "tus-resumable",
  "upload-checksum",
  "upload-concat",
  "upload-length",
  "upload-metadata",
  "upload-offset",
  "x-actions",
  "x-amz-acl",
  "x-amz-content-sha256",
  "x-amz-storage-class",
  "x-amz-tagging",
  "x-amz-website-redirect-location",
  "x-attach",
  "x-bz-file-name",
  "x-click",
  "x-comment",
  "x-description",
  "x-display-name",
  "x-file-id",
  "x-file-name",
  "x-filename",
  "x-icon",
  "x-message",
  "x-ms-tags",
  "x-name",
  "x-note",
  "x-oss-object-acl",
  "x-subject",
  "x-tags",
  "x-title",
];

/** Fields that correlate requests: passed from service to service, logged and sent back. */
const tracing: readonly string[] = [
  "b3",
  "baggage",
  "correlation-context",
  "correlation-id",
  "elastic-apm-traceparent",
  "idempotency-key",
  "newrelic",
  "request-id",
  "sentry-trace",
  "trace-id",
  "traceparent",
  "tracestate",
  "uber-trace-id",
  "x-cloud-trace-context",
  "x-correlationid",
  "x-request-start",
];

/** Fields that choose an account, a project or a version: public names, which appear in bills and logs. */
const selectors: readonly string[] = [
  "anthropic-beta",
  "openai-beta",
  "openai-organization",
  "openai-project",
  "stripe-account",
  "x-goog-request-params",
  "x-goog-request-reason",
  "x-goog-user-project",
];

/** Families of the fields above. */
const prefixes: readonly string[] = [
  "accept-",
  "content-",
  "if-",
  "ot-baggage-",
  "sec-ch-",
  "sec-fetch-",
  "sec-websocket-",
  "uberctx-",
  "want-",
  "x-amz-copy-source-",
  "x-amz-grant-",
  "x-b3-",
  "x-bz-info-",
  "x-datadog-",
  "x-envoy-",
  "x-forwarded-",
  "x-goog-upload-",
  "x-ms-blob-",
  "x-ms-range",
  "x-stainless-",
  "x-upload-content-",
];
const suffixes: readonly string[] = [
  "-client-ip",
  "-connecting-ip",
  "-correlation-id",
  "-idempotency-key",
  "-originating-ip",
  "-request-id",
  "-trace-id",
  "-user-agent",
  "-version",
];

/** Metadata of object stores: `x-amz-meta-*`, `x-goog-meta-*`, `x-ms-meta-*`, `x-object-meta-*` and others. */
const metadataPattern = /^x-[a-z0-9]+-meta-/;

/**
 * Within a family, but with a credential: clients that can set no other field,
 * those of browsers above all, send a bearer token as a WebSocket subprotocol.
 */
const credentials = new Set(["sec-websocket-protocol"]);

const framingNames = new Set(framing);
const plainNames = new Set([
  ...framing,
  ...sender,
  ...route,
  ...conditions,
  ...descriptions,
  ...tracing,
  ...selectors,
]);

/** Whether the placement `header` covers the field of this lower-case name. */
export function mayCarryCredential(lowerName: string): boolean {
  if (credentials.has(lowerName)) return true;
  return !(
    plainNames.has(lowerName) ||
    prefixes.some((prefix) => lowerName.startsWith(prefix)) ||
    suffixes.some((suffix) => lowerName.endsWith(suffix)) ||
    metadataPattern.test(lowerName)
  );
}

/** Whether the placement `header:NAME` may open the field of this lower-case name. */
export function mayNameCredential(lowerName: string): boolean {
  return !framingNames.has(lowerName);
}
