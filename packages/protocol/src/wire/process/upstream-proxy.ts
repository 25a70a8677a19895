import { z } from "zod";
import { normalizeHost, normalizeHostPattern } from "../../api/rules/host-pattern.ts";
import { serviceLimits } from "../limits.ts";
import { addressRangesSchema } from "./address-ranges.ts";

/** The HTTP proxy that connections to the internet pass through. */
export interface UpstreamProxy {
  /** Host name or IP address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** The `Proxy-Authorization` that it expects; null when the setting has no credentials. */
  readonly authorization: string | null;
}

const form = "expected http://host:port or http://user:password@host:port";
const defaultPort = 80;

/** `http://user:password@host:port`. No message repeats the text, which may have a password. */
export const upstreamProxySchema = z.string().transform((text, context): UpstreamProxy => {
  const proxy = parseUpstreamProxy(text);
  if (proxy !== undefined) return proxy;
  context.addIssue({ code: "custom", message: form, input: undefined });
  return z.NEVER;
});

/** Destinations that are reached without the proxy. */
export interface UpstreamProxyExceptions {
  readonly hostPatterns: readonly string[];
  readonly ranges: readonly string[];
}

/** Hosts, suffixes (`*.example.com` or `.example.com`), addresses and ranges, separated by commas. */
export const upstreamProxyExceptionsSchema = z
  .string()
  .transform((text, context): UpstreamProxyExceptions => {
    const entries = text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
    const refuse = (message: string) => {
      context.addIssue({ code: "custom", message, input: text });
      return z.NEVER;
    };
    const entriesMax = serviceLimits.upstreamProxyExceptionsMax;
    if (entries.length > entriesMax) {
      return refuse(`expected at most ${entriesMax} entries, got ${entries.length}`);
    }
    const hostPatterns: string[] = [];
    const ranges: string[] = [];
    for (const entry of entries) {
      const range = addressRangesSchema.safeParse(entry).data;
      const pattern = hostPatternOf(entry);
      if (range !== undefined) ranges.push(...range);
      else if (pattern !== undefined) hostPatterns.push(pattern);
      else {
        return refuse(
          `expected hosts, suffixes and address ranges such as example.com,*.corp.example,203.0.113.0/24, got ${JSON.stringify(entry)}`,
        );
      }
    }
    return { hostPatterns, ranges };
  });

function hostPatternOf(entry: string): string | undefined {
  try {
    return normalizeHostPattern(entry.startsWith(".") ? `*${entry}` : entry);
  } catch {
    // Every fault of a pattern gets the one message of this setting.
    return undefined;
  }
}

function parseUpstreamProxy(text: string): UpstreamProxy | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "http:" || url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    return undefined;
  }
  const bracketed = /^\[(?<address>.+)\]$/.exec(url.hostname)?.groups?.["address"];
  const host = bracketed ?? normalizeHost(url.hostname);
  const authorization = authorizationOf(url);
  if (host === undefined || authorization === undefined) return undefined;
  return { host, port: url.port === "" ? defaultPort : Number(url.port), authorization };
}

/** RFC 7617; `undefined` for credentials that the scheme cannot carry. */
function authorizationOf({ username, password }: URL): string | null | undefined {
  if (username === "" && password === "") return null;
  try {
    const user = decodeURIComponent(username);
    if (user.includes(":")) return undefined;
    return `Basic ${Buffer.from(`${user}:${decodeURIComponent(password)}`).toString("base64")}`;
  } catch {
    // A percent sign that begins no escape.
    return undefined;
  }
}
