/**
 * The body of a response as a browser gets it: the sandbox's token is empty,
 * and that of its previews and the secrets of its webhooks are left out. Each
 * of them has its effect without a session.
 */
export function withoutCredentials<Body>(body: Body): Body {
  if (typeof body !== "object" || body === null || !("token" in body)) return body;
  const shown = { ...body, token: "" };
  if ("previewAuthToken" in shown) delete shown.previewAuthToken;
  if ("webhooks" in shown) delete shown.webhooks;
  return shown;
}
