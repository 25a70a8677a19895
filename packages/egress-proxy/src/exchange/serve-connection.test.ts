import assert from "node:assert/strict";
import { test } from "node:test";
import { startExchange } from "../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";

test("substitutes", async (t) => {
  const exchange = await startExchange({
    policy: policyOf([secretOf("KEY", "a", "sk-real-value-1")]),
    upstream: (request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", () => {
        response.end(
          JSON.stringify({
            got: request.headers["x-api-key"],
            length: request.headers["x-api-key"]?.length,
            body: Buffer.concat(parts).toString().length,
          }),
        );
      });
    },
  });
  t.after(() => exchange.close());
  const answer = await exchange.send(
    `POST /v1/messages?x=1 HTTP/1.1\r\nHost: api.example.com\r\nX-Api-Key: ${tokenOf("a")}\r\nConnection: close\r\nContent-Length: 43\r\n\r\n${tokenOf("a")}`,
  );
  console.log(answer);
  console.log(exchange.audits);
  assert.match(answer, /200 OK/);
});
