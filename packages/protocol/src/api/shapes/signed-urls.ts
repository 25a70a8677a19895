import { z } from "zod";
import { limits } from "../limits.ts";
import { timestampSchema } from "../rules/identifiers.ts";
import { storableTextPattern } from "../rules/text.ts";
import { guestPathSchema } from "./commands.ts";

/**
 * Body of `POST /sandboxes/:id/files/download-url` and `…/upload-url`.
 * `expiresIn` is in seconds, 3600 by default.
 */
export const signedUrlRequestSchema = z.object({
  path: guestPathSchema.regex(storableTextPattern, "must be well-formed Unicode"),
  expiresIn: z.int().min(1).max(limits.signedUrlSecondsMax).nullish(),
});
export type SignedUrlRequest = z.input<typeof signedUrlRequestSchema>;

/** A URL that opens one file for one method, without a key, until `expiresAt`. */
export const signedUrlSchema = z.object({ url: z.url(), expiresAt: timestampSchema });
export type SignedUrl = z.infer<typeof signedUrlSchema>;
