import {
  idempotencyKeyHeader,
  idempotentHeadersSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { type Exchange, parseOrRefuse } from "./route.ts";

/** Carries out requests with the same idempotency key once, as the contract requires. */
export function createKeyedResults() {
  const results = new Map<string, { fingerprint: string; result: Promise<unknown> }>();
  return async <Result>(
    exchange: Exchange,
    body: object,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    const headers = parseOrRefuse(idempotentHeadersSchema, exchange.request.headers);
    const key = headers[idempotencyKeyHeader];
    if (key === undefined) return await work();
    const name = `${exchange.parameter("id")} ${key}`;
    const fingerprint = JSON.stringify([exchange.request.url, body]);
    const known = results.get(name);
    if (known === undefined) {
      const result = work();
      results.set(name, { fingerprint, result });
      result.catch(() => results.delete(name));
      return await result;
    }
    if (known.fingerprint === fingerprint) return (await known.result) as Result;
    throw new WireError("idempotency_key_reused", "The key was used for another command");
  };
}
