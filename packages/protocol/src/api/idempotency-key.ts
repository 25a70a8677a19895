import { z } from "zod";
import { limits } from "../limits.ts";

/** Name of the header, in the lower case that Node gives it. */
export const idempotencyKeyHeader = "idempotency-key";

/** A key of the caller's making, for one command. It is compared as it is. */
export const idempotencyKeySchema = z
  .string()
  .regex(
    new RegExp(`^[\\x21-\\x7e]{1,${limits.idempotencyKeyCharactersMax}}$`),
    `must be 1 to ${limits.idempotencyKeyCharactersMax} visible ASCII characters`,
  );

/**
 * Headers of `exec/run`, `exec/run-async` and `POST …/exec`. With
 * `Idempotency-Key`, the same request again runs nothing again: while its
 * command runs it is joined, and afterwards it has the same result. The same
 * key with another request is 422 `idempotency_key_reused`. Keys are kept for
 * each sandbox, for ten minutes after the end of the command.
 */
export const idempotentHeadersSchema = z.looseObject({
  [idempotencyKeyHeader]: idempotencyKeySchema.optional(),
});
