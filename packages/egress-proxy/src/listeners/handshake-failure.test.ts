import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { handshakeFailure } from "./handshake-failure.ts";

describe("handshakeFailure", () => {
  const host = "api.example.com";
  const cases: [Parameters<typeof handshakeFailure>[0], RegExp][] = [
    [
      { serverName: host, hasAuthority: true, code: "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA" },
      /does not trust/,
    ],
    [{ serverName: host, hasAuthority: true, code: "ERR_TLS_HANDSHAKE_TIMEOUT" }, /too long/],
    [{ serverName: host, hasAuthority: true, code: "ECONNRESET" }, /closed the connection/],
    [{ serverName: null, hasAuthority: true, code: "ERR_SSL_HTTP_REQUEST" }, /plain HTTP/],
    [{ serverName: null, hasAuthority: false, code: "ERR_SSL_NO_SHARED_CIPHER" }, /no server/],
    [{ serverName: "a..b", hasAuthority: true, code: null }, /no host name/],
    [{ serverName: host, hasAuthority: false, code: null }, /not been given its CA/],
    [{ serverName: host, hasAuthority: true, code: "ERR_SSL_X" }, /failed \(ERR_SSL_X\)/],
  ];
  for (const [facts, reason] of cases) {
    test(`${JSON.stringify(facts)} is ${reason.source}`, () => {
      assert.match(handshakeFailure(facts), reason);
    });
  }
});
