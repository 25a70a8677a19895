import type { IncomingMessage } from "node:http";

const absoluteForm = /^https?:\/\/(?<authority>[^/?#]*)(?<path>[^#]*)/i;

/**
 * Which authority a request is for, and the path on it. The authority of a
 * request-target in absolute form replaces Host (RFC 9112, section 3.2.2).
 */
export function readTarget({ url = "/", headers }: Pick<IncomingMessage, "url" | "headers">): {
  authority: string;
  path: string;
} {
  const groups = absoluteForm.exec(url)?.groups;
  if (groups === undefined) return { authority: headers.host ?? "", path: url };
  const { authority = "", path = "" } = groups;
  return { authority, path: path.startsWith("/") ? path : `/${path}` };
}
