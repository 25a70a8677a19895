import assert from "node:assert/strict";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

/** A browser at the dashboard, and what it must not have seen. */
export interface DashboardBrowser {
  page: Page;
  context: BrowserContext;
  /** Every body of a response that the page has received, with its address. */
  readonly received: readonly { url: string; text: string }[];
  /** Asserts that the page has broken no rule of its security policy, and that no script has failed. */
  assertClean(): void;
  /** Asserts that axe finds nothing on the page, in both color schemes and on a narrow screen. */
  assertAccessible(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Debian's, which the set-up installs. */
const executablePath = "/usr/bin/chromium";
const wide = { width: 1280, height: 800 };
const narrow = { width: 400, height: 800 };
const looks = [
  { colorScheme: "light", size: wide },
  { colorScheme: "dark", size: wide },
  { colorScheme: "dark", size: narrow },
] as const;

// Scripts that the page runs are texts: their types are those of a browser, not of this program.
const reportViolations = `document.addEventListener("securitypolicyviolation", (event) =>
  reportViolation(event.violatedDirective + ": " + event.blockedURI));`;
const overflowPixels =
  "document.documentElement.scrollWidth - document.documentElement.clientWidth";

let browser: Promise<Browser> | undefined;

/** Opens the dashboard in a profile of its own. */
export async function openDashboard(url: string): Promise<DashboardBrowser> {
  browser ??= chromium.launch({ executablePath });
  const context = await (await browser).newContext({ viewport: wide, acceptDownloads: true });
  context.setDefaultTimeout(60_000);
  const faults: string[] = [];
  const received: { url: string; text: string }[] = [];
  await context.exposeFunction("reportViolation", (text: string) => faults.push(text));
  await context.addInitScript({ content: reportViolations });
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(message.text());
  });
  page.on("response", (response) => {
    response.text().then(
      (text) => received.push({ url: response.url(), text }),
      // A redirect and a download have no body to read.
      () => undefined,
    );
  });
  await page.goto(url);

  return {
    page,
    context,
    received,
    assertClean: () => assert.deepEqual(faults, []),

    async assertAccessible(name) {
      for (const { colorScheme, size } of looks) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.setViewportSize(size);
        const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
        const found = violations.map(({ id, nodes }) => ({
          id,
          targets: nodes.map(({ html, failureSummary }) => [html.slice(0, 200), failureSummary]),
        }));
        assert.deepEqual(found, [], `${name}, ${colorScheme}, ${size.width} px`);
        const overflow = await page.evaluate<number>(overflowPixels);
        assert.ok(overflow <= 0, `${name} is ${overflow} px wider than ${size.width} px`);
      }
      await page.emulateMedia({ colorScheme: "light" });
      await page.setViewportSize(wide);
    },

    close: () => context.close(),
  };
}

/** Ends the browser of this process. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = undefined;
}
