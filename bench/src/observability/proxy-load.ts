import { measureLoad } from "../egress/clients/load.ts";
import { proxyLoadSchema } from "./proxy-load-task.ts";

// A separate process, so that it can run in the network namespace of a slot. The
// first argument has the task as JSON; the output is a LoadResult.
const { target, ...task } = proxyLoadSchema.parse(JSON.parse(process.argv[2] ?? ""));
const result = await measureLoad({ ...task, targets: [target] });
process.stdout.write(`${JSON.stringify(result)}\n`);
