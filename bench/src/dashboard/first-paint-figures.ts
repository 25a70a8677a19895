import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { RunningInstallation } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { type Browser, chromium } from "playwright-core";
import { z } from "zod";
import { describeRatio, describeSamples, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";

const rounds = 20;
/** Debian's, which the set-up installs. */
const executablePath = "/usr/bin/chromium";
const floorName = "a page of one word";
/** More than the time from a row in the document to its paint, which the page notes. */
const paintMilliseconds = 200;
/** What makes the dashboard useful, and stands for it in the floor. */
const firstRow = "table tbody tr, [data-ready]";

// Scripts that the page runs are texts: their types are those of a browser, not of this program.
const noteFirstRow = `new MutationObserver((changes, observer) => {
  if (document.querySelector("${firstRow}") === null) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { globalThis.rowPaintedMilliseconds = performance.now(); }));
}).observe(document, { childList: true, subtree: true });`;
const readTimes = `JSON.stringify({
  firstPaintMilliseconds: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
  rowPaintedMilliseconds: globalThis.rowPaintedMilliseconds ?? null,
  bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .reduce((sum, { transferSize }) => sum + transferSize, 0),
})`;
const loadSchema = z.object({
  /** Since the start of the navigation. */
  firstPaintMilliseconds: z.number(),
  rowPaintedMilliseconds: z.number(),
  /** Heads and bodies of all responses. */
  bytes: z.number(),
});
type Load = z.infer<typeof loadSchema>;

/** First paint, table and bytes of the dashboard, which the control plane serves, in a browser with an empty cache. */
export async function measureFirstPaint(
  { apiUrl, apiKey }: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const sandbox = await Sandbox.create({ apiUrl, apiKey, timeout: 0 });
  const bare = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<p data-ready>ready</p>");
  }).listen(0, "127.0.0.1");
  await once(bare, "listening");
  const browser = await chromium.launch({ executablePath });
  try {
    const session = await signIn(browser, apiUrl, apiKey);
    const bareUrl = `http://127.0.0.1:${(bare.address() as AddressInfo).port}`;
    const { measured, floor } = await measureInTurns<Load>({
      rounds,
      measured: () => load(browser, apiUrl, session),
      floor: () => load(browser, bareUrl, undefined),
      onRound,
    });
    const times = (loads: Load[], name: keyof Load) => loads.map((one) => one[name]);
    const described = (name: string, part: "firstPaintMilliseconds" | "rowPaintedMilliseconds") =>
      describeRatio(
        `dashboard with an empty cache: navigation → ${name}`,
        { measured: times(measured, part), floor: times(floor, part) },
        { unit: "ms", floorName },
      );
    return [
      described("first contentful paint", "firstPaintMilliseconds"),
      described("the table of sandboxes", "rowPaintedMilliseconds"),
      {
        name: "bytes that it takes until then",
        measured: describeSamples(
          times(measured, "bytes").map((bytes) => bytes / 1024),
          "KiB",
        ),
        floor: "—",
        result: "—",
        mustReach: "reported",
        reached: null,
      },
    ];
  } finally {
    await browser.close();
    bare.close();
    await sandbox.kill();
  }
}

type Session = Awaited<ReturnType<Awaited<ReturnType<Browser["newContext"]>>["storageState"]>>;

/** Signs in as a user does; a context with the session is signed in. */
async function signIn(browser: Browser, apiUrl: string, apiKey: string): Promise<Session> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(apiUrl);
  await page.getByLabel("API key").fill(apiKey);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Sandboxes" }).waitFor();
  const session = await context.storageState();
  await context.close();
  return session;
}

/** Loads a page in a context of its own, whose cache is empty. */
async function load(browser: Browser, url: string, session: Session | undefined): Promise<Load> {
  const context = await browser.newContext(session === undefined ? {} : { storageState: session });
  try {
    await context.addInitScript({ content: noteFirstRow });
    const page = await context.newPage();
    await page.goto(url);
    await page.locator(firstRow).first().waitFor();
    await page.waitForTimeout(paintMilliseconds);
    return loadSchema.parse(JSON.parse(await page.evaluate<string>(readTimes)));
  } finally {
    await context.close();
  }
}
