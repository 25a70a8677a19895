/** The cookie that a link becomes. Over TLS the prefix has browsers refuse it from any other host. */
const cookieName = "oc_preview";
const secureCookieName = `__Host-${cookieName}`;
const names: readonly string[] = [cookieName, secureCookieName];

/** Set-Cookie of a session: of this host alone, for no script to read, and for no other site's requests. */
export function sessionCookie(
  value: string,
  options: { isSecure: boolean; seconds: number },
): string {
  const name = options.isSecure ? secureCookieName : cookieName;
  const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${options.seconds}`;
  return `${name}=${value}; ${attributes}${options.isSecure ? "; Secure" : ""}`;
}

/** Every value of the session's cookie in a Cookie field: another host may have set one more. */
export function sessionCookieValues(cookies: string | undefined): string[] {
  return pairsOf(cookies ?? "").flatMap((pair) => {
    const [name, value = ""] = splitPair(pair);
    return names.includes(name) ? [value] : [];
  });
}

/** A Cookie field without the session's cookie. */
export function withoutSessionCookie(cookies: string): string {
  return pairsOf(cookies)
    .filter((pair) => !names.includes(splitPair(pair)[0]))
    .join("; ");
}

/** Whether a Set-Cookie value would replace the session's cookie. */
export function isSessionCookie(setCookie: string): boolean {
  return names.includes(splitPair(setCookie.split(";", 1)[0] ?? "")[0]);
}

function pairsOf(cookies: string): string[] {
  return cookies
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "");
}

function splitPair(pair: string): [name: string, value: string] {
  const equals = pair.indexOf("=");
  if (equals === -1) return ["", pair.trim()];
  return [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()];
}
