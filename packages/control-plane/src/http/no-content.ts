import { z } from "zod";

/** The responses of a route that has nothing to say but that it is done. */
export const noContent = { 204: z.undefined().describe("Done") };
