import { z } from "zod";

/** Requests to a proxy from the network namespace of a slot. */
export const proxyLoadSchema = z.object({
  target: z.object({
    host: z.string(),
    port: z.int(),
    localAddress: z.string(),
    servername: z.string(),
    ca: z.string(),
  }),
  /** The proxy. */
  pid: z.int(),
  head: z.string(),
  connections: z.int(),
  warmUpMilliseconds: z.int(),
  milliseconds: z.int(),
});
export type ProxyLoad = z.infer<typeof proxyLoadSchema>;

export const proxyLoadResultSchema = z.object({
  perSecond: z.number(),
  cpuMicroseconds: z.number(),
});
