import { z } from "zod";

/** Argument of the process that reports in place of an egress proxy. */
export const reportingProxySchema = z.object({ socketPath: z.string() });

/** IPC message to it: the numbers of the lines that it reports next. */
export const reportSchema = z.object({ from: z.int(), count: z.int() });
export type Report = z.infer<typeof reportSchema>;
