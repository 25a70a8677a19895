import { prepareTemplate } from "@opencomputer/harness";

await prepareTemplate((text) => process.stdout.write(text));
