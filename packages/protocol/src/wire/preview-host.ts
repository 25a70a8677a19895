import { sandboxIdPattern } from "../api/rules/identifiers.ts";

/** The sandbox and port that the host name of a preview identifies. */
export interface PreviewHost {
  sandboxId: string;
  port: number;
}

const labelPattern = /^(?<sandboxId>sb-[a-z2-7]{20})-p(?<port>[1-9][0-9]{0,4})$/;
const authorityPattern = /^(?<host>[^\s:/?#@\\[\]]+|\[[0-9a-fA-F:.]+\])(?::(?<port>[0-9]{0,5}))?$/;
const hostCharactersMax = 253;

/** `{sandboxID}-p{port}.{sandboxDomain}`: one label, so that one wildcard name and certificate cover all. */
export function previewHostname({ sandboxId, port }: PreviewHost, sandboxDomain: string): string {
  return `${sandboxId}-p${port}.${sandboxDomain}`;
}

/**
 * The host of an authority (RFC 3986, section 3.2) such as the Host field
 * has: lower case, without port and without one trailing dot; `undefined`
 * when the text is no authority of HTTP.
 */
export function hostOfAuthority(authority: string): string | undefined {
  const host = authorityPattern.exec(authority)?.groups?.["host"]?.toLowerCase();
  if (host === undefined) return undefined;
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return name.length === 0 || name.length > hostCharactersMax ? undefined : name;
}

/** Whether a host is below the sandbox domain, where nothing but previews may be served. */
export function isInSandboxDomain(host: string, sandboxDomain: string): boolean {
  return host.endsWith(`.${sandboxDomain}`);
}

/** Parses a host of the sandbox domain; `undefined` when it cannot be the name of a preview. */
export function parsePreviewHost(host: string, sandboxDomain: string): PreviewHost | undefined {
  if (!isInSandboxDomain(host, sandboxDomain)) return undefined;
  const groups = labelPattern.exec(host.slice(0, -sandboxDomain.length - 1))?.groups;
  const { sandboxId = "", port: digits = "" } = groups ?? {};
  const port = Number(digits);
  return sandboxIdPattern.test(sandboxId) && port <= 65_535 ? { sandboxId, port } : undefined;
}
