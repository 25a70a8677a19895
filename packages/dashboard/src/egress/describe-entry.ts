import type { EgressEntry, WithheldReason } from "@opencomputer/sdk";
import { visibleText } from "../parts/visible-text.ts";

const usualPorts: Readonly<Partial<Record<EgressEntry["protocol"], number>>> = {
  ...{ https: 443, http: 80, websocket: 443, grpc: 443, tls: 443, dns: 53 },
};

const withheldReasons: Readonly<Record<WithheldReason, string>> = {
  host: "its secret does not allow this host",
  placement: "its secret does not allow this part of a request",
  plain_http: "the request was not encrypted",
  signature: "AWS credentials are used only in signatures",
  revoked: "its value was revoked",
};

/** Why a token was sent as it is, for people. */
export function describeWithheld(reason: WithheldReason): string {
  return withheldReasons[reason];
}

/** The request of an entry: `GET https://api.example.com/v1`, or how many exchanges it stands for. */
export function describeRequest(entry: EgressEntry): string {
  const { leftOut, method, protocol, host, port, path } = entry;
  const at = port === null || port === usualPorts[protocol] ? "" : `:${port}`;
  const url = `${protocol}://${host ?? "?"}${at}${path ?? ""}`;
  if (leftOut > 0) return `${leftOut} more exchanges${host === null ? "" : `, ${url}`}`;
  return visibleText(method === null ? url : `${method} ${url}`);
}

/** What became of the secrets and tokens of an entry: `API_KEY substituted in header x-api-key`. */
export function describeSecrets({ secrets }: EgressEntry): string[] {
  const { substituted, withheld, redacted, leaked, foreignTokens } = secrets;
  return [
    ...substituted.map(({ name, places }) =>
      places.length === 0
        ? `${name} substituted`
        : `${name} substituted in ${places.join(" and ")}`,
    ),
    ...withheld.map(({ name, place, reason }) =>
      [`${name} withheld in ${place}`, ...(reason === null ? [] : [describeWithheld(reason)])].join(
        ": ",
      ),
    ),
    ...redacted.map(({ name, count }) => `${name} redacted in the response, ${timesOf(count)}`),
    ...leaked.map((name) => `${name} was sent by the sandbox in plaintext: rotate it`),
    ...(foreignTokens === 0
      ? []
      : [`tokens of no secret of this sandbox, ${timesOf(foreignTokens)}`]),
  ];
}

function timesOf(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

/** A duration in milliseconds as `12 ms`, and from a second on as `1.2 s`. */
export function formatDuration(milliseconds: number): string {
  return milliseconds < 1_000
    ? `${Math.round(milliseconds)} ms`
    : `${Math.round(milliseconds / 100) / 10} s`;
}
