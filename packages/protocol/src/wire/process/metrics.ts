import { z } from "zod";
import { serviceLimits } from "../limits.ts";

/**
 * Response of `GET /v1/metrics` of the worker and the egress proxy: what they
 * measure now, in Prometheus' text format (version 0.0.4).
 */
export const metricsResponseSchema = z.object({
  text: z.string().max(serviceLimits.metricsCharactersMax),
});
