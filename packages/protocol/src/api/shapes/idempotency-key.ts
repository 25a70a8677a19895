import { z } from "zod";
import { limits } from "../limits.ts";

/** Name of the header, in the lower case that Node gives it. */
export const idempotencyKeyHeader = "idempotency-key";

/** A key that the caller chooses for one command. */
export const idempotencyKeySchema = z
  .string()
  .regex(
    new RegExp(`^[\\x21-\\x7e]{1,${limits.idempotencyKeyCharactersMax}}$`),
    `must be 1 to ${limits.idempotencyKeyCharactersMax} visible ASCII characters`,
  );

/**
 * Headers of `exec/run`, `exec/run-async` and `POST …/exec`. With
 * `Idempotency-Key`, a repeated request runs nothing: while its command runs, it
 * waits for the same result, and afterwards it gets the same result. The same
 * key with another request is 422 `idempotency_key_reused`. Keys are kept for
 * each sandbox, for ten minutes after the end of the command.
 */
export const idempotentHeadersSchema = z.looseObject({
  [idempotencyKeyHeader]: idempotencyKeySchema.optional(),
});
