import { writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { prepareTemplate, type RunningInstallation } from "@opencomputer/harness";
import { measureApi } from "./api/api-figures.ts";
import { measureRounds } from "./api/round-figures.ts";
import { measureClients } from "./clients/client-figures.ts";
import { measureFirstPaint } from "./dashboard/first-paint-figures.ts";
import { measureEgress } from "./egress/egress-figures.ts";
import { measureEventFigures } from "./events/event-figures.ts";
import { asMarkdown, type Figure, printFigures } from "./figure.ts";
import { measureLife } from "./life/life-figures.ts";
import { measureObservability } from "./observability/observability-figures.ts";
import { measurePreviews } from "./previews/preview-figures.ts";
import { measureColdCreate, measureCommands, measureMany } from "./sandboxes/sandbox-figures.ts";
import { measureScaling } from "./scaling/scaling-figures.ts";
import { measureTerminals } from "./terminals/terminal-figures.ts";
import { withInstallation } from "./with-installation.ts";

const known = [
  ...["sandboxes", "life", "scaling", "api", "clients", "terminals", "previews", "egress"],
  ...["observability", "events", "dashboard"],
];
const usage = `Usage: npm run bench [-- ${known.join("|")}] [--markdown FILE]`;
const { positionals: parts, values } = parseArgs({
  allowPositionals: true,
  options: { markdown: { type: "string" } },
});
const markdownFile = values.markdown;
if (parts.some((part) => !known.includes(part))) {
  process.stderr.write(`${usage}\n`);
  process.exit(1);
}
const wants = (part: string) => parts.length === 0 || parts.includes(part);

const figures: Figure[] = [];
if (wants("sandboxes")) figures.push(...(await sandboxFigures()));
if (wants("life")) figures.push(...(await lifeFigures()));
if (wants("scaling")) figures.push(...(await scalingFigures()));
if (wants("api")) figures.push(...(await apiFigures()));
if (wants("clients")) figures.push(...(await clientFigures()));
if (wants("terminals")) figures.push(...(await terminalFigures()));
if (wants("previews")) figures.push(...(await previewFigures()));
if (wants("egress")) figures.push(...(await measureEgress(say)));
if (wants("observability")) figures.push(...(await observabilityFigures()));
if (wants("events")) figures.push(...(await eventFigures()));
if (wants("dashboard")) figures.push(...(await dashboardFigures()));
process.stdout.write(`\n${describeHost()}\n`);
printFigures(figures, process.stdout);
if (markdownFile !== undefined) {
  await writeFile(markdownFile, `${describeHost()}\n\n${asMarkdown(figures)}\n`);
}
process.exitCode = figures.some((figure) => figure.reached === false) ? 1 : 0;

async function sandboxFigures(): Promise<Figure[]> {
  say("bringing the golden snapshot up to date");
  await prepareTemplate();
  const [warm, many] = await withService({}, async (installation) => {
    const commands = await measureCommands(installation, (text) =>
      say(`sandbox and floor: ${text}`),
    );
    say("10 sandboxes at once");
    return [commands, await measureMany(installation)] as const;
  });
  const cold = await withService({ OPENCOMPUTER_WARM_POOL_SIZE: "0" }, (installation) =>
    measureColdCreate(installation, (text) => say(`without a pool: ${text}`)),
  );
  const [firstOutput, ...others] = warm;
  return [...(firstOutput === undefined ? [] : [firstOutput]), cold, ...others, ...many];
}

async function lifeFigures(): Promise<Figure[]> {
  await prepareTemplate();
  return withService({}, (installation) =>
    measureLife(installation, (text) => say(`life: ${text}`)),
  );
}

async function scalingFigures(): Promise<Figure[]> {
  await prepareTemplate();
  return withService({}, (installation) =>
    measureScaling(installation, (text) => say(`scaling: ${text}`)),
  );
}

async function apiFigures(): Promise<Figure[]> {
  await prepareTemplate();
  return withService({}, async (installation) => [
    ...(await measureApi(installation, (text) => say(`API and floor: ${text}`))),
    ...(await measureRounds(installation, (text) => say(`create and kill: ${text}`))),
  ]);
}

async function clientFigures(): Promise<Figure[]> {
  await prepareTemplate();
  return withService({}, (installation) =>
    measureClients(installation, (text) => say(`clients: ${text}`)),
  );
}

async function terminalFigures(): Promise<Figure[]> {
  await prepareTemplate();
  return withService({}, (installation) =>
    measureTerminals(installation, (text) => say(`terminal and floor: ${text}`)),
  );
}

async function previewFigures(): Promise<Figure[]> {
  await prepareTemplate();
  return withService({ OPENCOMPUTER_WARM_POOL_SIZE: "0" }, (installation) =>
    measurePreviews(installation, (text) => say(`previews: ${text}`)),
  );
}

async function observabilityFigures(): Promise<Figure[]> {
  await prepareTemplate();
  say("starting the service twice");
  return measureObservability(say);
}

async function eventFigures(): Promise<Figure[]> {
  await prepareTemplate();
  return withService({ OPENCOMPUTER_WARM_POOL_SIZE: "0" }, (installation) =>
    measureEventFigures(installation, (text) => say(`events: ${text}`)),
  );
}

async function dashboardFigures(): Promise<Figure[]> {
  await prepareTemplate();
  return withService({}, (installation) =>
    measureFirstPaint(installation, (text) => say(`dashboard and bare page: ${text}`)),
  );
}

function withService<Result>(
  environment: Record<string, string>,
  work: (installation: RunningInstallation) => Promise<Result>,
): Promise<Result> {
  say("starting the service");
  return withInstallation(environment, work);
}

function say(text: string): void {
  process.stderr.write(`  … ${text}\n`);
}

function describeHost(): string {
  const [processor] = cpus();
  const memory = `${(totalmem() / 1024 ** 3).toFixed(0)} GiB`;
  return `${cpus().length} × ${processor?.model ?? "unknown processor"}, ${memory}, Linux ${release()}, Node ${process.version}`;
}
