import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { ApiKey, Sandbox, SecretStore, Webhook } from "@opencomputer/sdk";
import type { Page } from "playwright-core";
import { closeBrowser, type DashboardBrowser, openDashboard } from "./dashboard-browser.ts";

/** A value that no response of the service may have. */
const canary = "sk-canary-jQ7vX2mT9wLr4KzB8nYd3HpC";
const allowedHost = "api.example.com";
const refusedHost = "other.example.test";
const cookieName = "oc_dashboard";

describe("the dashboard", () => {
  let scenario: Scenario;
  let dashboard: DashboardBrowser;
  let page: Page;
  before(async () => {
    scenario = await startSharedScenario({ hosts: [allowedHost, refusedHost] });
    dashboard = await openDashboard(scenario.connection.apiUrl);
    page = dashboard.page;
  });
  after(async () => {
    await closeBrowser();
    assert.deepEqual(await scenario.end(), []);
  });

  const button = (name: string | RegExp) => page.getByRole("button", { name, exact: true });
  const dialog = () => page.getByRole("dialog");
  const heading = (name: string | RegExp) => page.getByRole("heading", { level: 1, name });
  const openSection = async (name: string) => {
    await page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name }).click();
    await heading(name).waitFor();
  };
  const openTab = (name: string) => page.getByRole("tab", { name }).click();
  /** Presses the button of the open dialog, and waits until that is done. */
  const submit = async (name: string) => {
    await dialog().getByRole("button", { name, exact: true }).click();
    await dialog().waitFor({ state: "detached" });
  };
  const signIn = async (on: Page, apiKey: string) => {
    await on.getByLabel("API key").fill(apiKey);
    await on.getByRole("button", { name: "Sign in" }).click();
  };
  const sessionCookie = async ({ context }: DashboardBrowser) =>
    (await context.cookies()).find(({ name }) => name === cookieName);
  /** The status of a request with this cookie, as the page itself sends it unless fields say otherwise. */
  const statusWith = (cookie: string | undefined, fields: Record<string, string> = {}) =>
    new Promise<number>((resolve, reject) => {
      const url = `${scenario.connection.apiUrl}/api/sandboxes`;
      const headers = {
        origin: scenario.connection.apiUrl,
        "x-opencomputer-dashboard": "1",
        ...(cookie === undefined ? {} : { cookie: `${cookieName}=${cookie}` }),
        ...fields,
      };
      request(url, { headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .once("error", reject)
        .end();
    });
  let sandboxId = "";

  test("a wrong key is refused, and the right one signs in, with the keyboard alone", async () => {
    await dashboard.assertAccessible("sign-in");
    await signIn(page, `osb_${"0".repeat(64)}`);
    await page.getByRole("alert").getByText("invalid API key").waitFor();
    await page.getByLabel("API key").fill("");
    await page.getByLabel("API key").pressSequentially(scenario.connection.apiKey, { delay: 0 });
    await page.keyboard.press("Enter");
    await heading("Sandboxes").waitFor();
  });

  test("no script can read the key or the cookie, and no response has the key", async () => {
    const cookie = await sessionCookie(dashboard);
    assert.ok(cookie?.httpOnly === true && cookie.sameSite === "Strict");
    const readable = await page.evaluate<string>(
      "JSON.stringify([document.cookie, localStorage, sessionStorage, document.body.outerHTML])",
    );
    assert.ok(!readable.includes(cookie.value));
    assert.ok(!readable.includes(scenario.connection.apiKey));
    assert.ok(dashboard.received.length > 0);
    assert.ok(dashboard.received.every(({ text }) => !text.includes(scenario.connection.apiKey)));
  });

  test("an empty page teaches the first command", async () => {
    await page.getByText("There are no sandboxes.").waitFor();
    await page.getByText("oc create --timeout 600", { exact: true }).waitFor();
    await dashboard.assertAccessible("no sandboxes");
  });

  test("a sandbox is created with options, which oc takes in the same words", async () => {
    await button("Create a sandbox").click();
    await dialog().getByLabel("Idle time-out in seconds").fill("0");
    await dialog().getByLabel("Environment variables").fill("GREETING=hello there");
    await dialog().getByLabel("Metadata").fill("run=7");
    const command = "oc create --timeout 0 --env 'GREETING=hello there' --metadata run=7";
    await dialog().getByText(command, { exact: true }).waitFor();
    await dashboard.assertAccessible("create dialog");
    await submit("Create");
    await heading(/^Sandbox sb-/).waitFor();
    const [sandbox] = await Sandbox.list(scenario.connection);
    assert.ok(sandbox !== undefined);
    sandboxId = sandbox.sandboxID;
    assert.deepEqual([sandbox.metadata, sandbox.endAt], [{ run: "7" }, null]);
    await page.getByRole("table", { name: "Usage" }).getByText("% of a CPU").waitFor();
    await dashboard.assertAccessible("overview");
  });

  test("tags are edited, what others change meanwhile stays, and a malformed one is refused", async () => {
    const sandbox = await Sandbox.connect(sandboxId, scenario.connection);
    const tags = async () => (await Sandbox.get(sandboxId, scenario.connection)).tags;
    await sandbox.setTags({ team: "search", stage: "test" });
    await page.getByText("team=search").first().waitFor();
    await button("Edit tags").click();
    const field = dialog().getByLabel("Tags");
    assert.deepEqual((await field.inputValue()).split("\n").sort(), ["stage=test", "team=search"]);
    await sandbox.updateTags({ owner: "ada" });
    await field.fill("team=research\nrun=7");
    await dialog()
      .getByText(`oc tag set ${sandboxId} team=research run=7`, { exact: true })
      .waitFor();
    await dialog().getByText(`oc tag delete ${sandboxId} stage`, { exact: true }).waitFor();
    await dashboard.assertAccessible("tags dialog");
    await submit("Save");
    assert.deepEqual(await tags(), { team: "research", run: "7", owner: "ada" });
    await page.getByText("team=research").first().waitFor();

    await button("Edit tags").click();
    await field.fill("not a tag=1");
    await dialog().getByRole("button", { name: "Save", exact: true }).click();
    await dialog().getByRole("alert").waitFor();
    await page.keyboard.press("Escape");
    assert.deepEqual(await tags(), { team: "research", run: "7", owner: "ada" });
  });

  test("a terminal runs what is typed", async () => {
    await openTab("Terminal");
    const terminal = page.getByRole("textbox", { name: "Terminal input" });
    await terminal.waitFor();
    const screen = page.locator(".xterm-accessibility").getByRole("listitem");
    await screen.filter({ hasText: "$" }).first().waitFor();
    await terminal.pressSequentially('echo "$GREETING at $((40 + 2))"; stty size\n');
    await screen.filter({ hasText: /^hello there at 42$/ }).waitFor();
    await dashboard.assertAccessible("terminal");
    await page.getByRole("textbox", { name: "Terminal input" }).focus();
    await page.keyboard.press("F6");
    assert.equal(await page.evaluate("document.activeElement.textContent"), "New terminal");
  });

  test("a file is uploaded, edited, downloaded and deleted", async () => {
    await openTab("Files");
    await button("Upload").click();
    const content = Buffer.from("first line\nä second one\n");
    const chooser = page.waitForEvent("filechooser");
    await dialog().getByLabel("Files").click();
    await (await chooser).setFiles({ name: "notes.txt", mimeType: "text/plain", buffer: content });
    await submit("Upload");
    await button("Edit notes.txt").click();
    const editor = dialog().getByLabel("Content");
    await editor.and(page.locator(":enabled")).waitFor();
    assert.equal(await editor.inputValue(), content.toString());
    await editor.fill("edited\n");
    await submit("Save");
    const downloading = page.waitForEvent("download");
    await button("Download notes.txt").click();
    const download = await downloading;
    assert.equal(download.suggestedFilename(), "notes.txt");
    assert.equal(await readFile(await download.path(), "utf8"), "edited\n");
    const sandbox = await Sandbox.connect(sandboxId, scenario.connection);
    assert.equal(await sandbox.files.read("/home/sandbox/notes.txt"), "edited\n");
    await dashboard.assertAccessible("files");
    await button("Delete notes.txt").click();
    await submit("Delete");
    await button("Delete notes.txt").waitFor({ state: "detached" });
    assert.equal(await sandbox.files.exists("/home/sandbox/notes.txt"), false);
  });

  test("a preview is created, shown and deleted", async () => {
    await openTab("Previews");
    await button("Create a preview").click();
    await submit("Create");
    await button("Open port 3000").waitFor();
    await dashboard.assertAccessible("previews");
    await button("Delete the preview of port 3000").click();
    await submit("Delete");
    await page.getByText("There are no previews.").waitFor();
  });

  test("a checkpoint is forked, and the fork shows below it", async () => {
    await openTab("Checkpoints");
    await button("Create a checkpoint").click();
    await dialog().getByLabel("Name").fill("before");
    await submit("Create");
    await button("Fork before").click();
    await submit("Fork");
    const fork = (await Sandbox.list(scenario.connection)).find((one) => one.fromCheckpointId);
    assert.ok(fork !== undefined);
    await heading(`Sandbox ${fork.sandboxID}`).waitFor();
    await page.goto(`${scenario.connection.apiUrl}/#/sandboxes/${sandboxId}/checkpoints`);
    const forks = page.getByRole("list", { name: "Forks of before" });
    await forks.getByRole("link", { name: fork.sandboxID }).waitFor();
    await dashboard.assertAccessible("checkpoints");
    await Sandbox.kill(fork.sandboxID, scenario.connection);
  });

  test("it is hibernated, found by a search, and woken", async () => {
    await openSection("Sandboxes");
    await page.getByLabel("Search").fill("run=7");
    await page.getByText("1 of", { exact: false }).waitFor();
    const choose = async (item: string) => {
      await button(`Actions of ${sandboxId}`).click();
      await page.getByRole("menuitem", { name: item }).click();
    };
    await choose("Hibernate…");
    await submit("Hibernate");
    await page.getByRole("cell", { name: "hibernated", exact: true }).waitFor();
    await dashboard.assertAccessible("sandboxes");
    await choose("Wake…");
    await submit("Wake");
    await page.getByRole("cell", { name: "running", exact: true }).waitFor();
  });

  test("a secret goes in, and no response and no page ever has its value", async () => {
    await openSection("Secret stores");
    await dashboard.assertAccessible("no secret stores");
    await button("Create a secret store").click();
    await dialog().getByLabel("Name").fill("keys");
    await dialog().getByLabel("Egress allowlist").fill("api.example.com");
    await submit("Create");
    await heading("Secret store keys").waitFor();
    await button("Set a secret").click();
    await dialog().getByLabel("Name").fill("API_KEY");
    await dialog().getByRole("textbox", { name: "Value" }).fill(canary);
    await dialog().getByLabel("Allowed hosts").fill("api.example.com");
    await submit("Set");
    await page.getByRole("cell", { name: "API_KEY", exact: true }).waitFor();
    await dashboard.assertAccessible("secret store");
    assert.ok(!(await page.content()).includes(canary));
    assert.ok(dashboard.received.every(({ text }) => !text.includes(canary)));
    const [store] = await SecretStore.list(scenario.connection);
    const [secret] = await SecretStore.listSecrets(store?.id ?? "", scenario.connection);
    assert.deepEqual([secret?.name, secret?.allowedHosts], ["API_KEY", ["api.example.com"]]);
    await button("Revoke API_KEY").click();
    await submit("Revoke");
    await page.getByRole("cell", { name: /^revoked/ }).waitFor();
  });

  test("the egress tab, the events and the webhooks show what a sandbox does, as it does it", async () => {
    const { name } = await scenario.createStore({
      egressAllowlist: [allowedHost],
      secrets: { API_KEY: canary },
    });
    const { id } = await Webhook.create({
      ...{ ...scenario.connection, url: "https://hook.example.test/" },
      eventTypes: ["sandbox.killed"],
    });
    const sandbox = await scenario.createSandbox({ secretStore: name });
    const row = (...texts: string[]) =>
      texts.reduce((rows, hasText) => rows.filter({ hasText }), page.getByRole("row"));
    await page.goto(`${scenario.connection.apiUrl}/#/sandboxes/${sandbox.sandboxId}/egress`);
    await page.getByText("There are no exchanges yet.").waitFor();
    await sandbox.exec.run(
      `curl -sS https://${allowedHost}/v1 -H "x-api-key: $API_KEY"; curl -sS https://${refusedHost}/`,
    );
    const sent = row(`GET https://${allowedHost}/v1`, "API_KEY substituted in header x-api-key");
    await sent.filter({ hasText: "allowed" }).waitFor();
    await row(refusedHost, "refused").first().waitFor();
    await dashboard.assertAccessible("egress");
    await page.getByLabel("Refused only").check();
    await sent.waitFor({ state: "detached" });
    await row(refusedHost, "refused").first().waitFor();
    await button("Explain a URL").click();
    await dialog().getByLabel("URL").fill(`https://${refusedHost}/`);
    await dialog().getByRole("button", { name: "Explain", exact: true }).click();
    await dialog().getByText("Rule: not_in_allowlist").waitFor();
    await dashboard.assertAccessible("explain dialog");
    await page.keyboard.press("Escape");
    await button("Suggest an allowlist").click();
    await dialog().getByText(`API_KEY: ${allowedHost}`).waitFor();
    await dashboard.assertAccessible("suggestion dialog");
    await page.keyboard.press("Escape");
    assert.ok(!(await page.content()).includes(canary));

    await openSection("Events");
    await row("sandbox.created", sandbox.sandboxId).waitFor();
    await page.getByLabel("Sandbox").fill(sandbox.sandboxId);
    await row(sandboxId).first().waitFor({ state: "detached" });
    await dashboard.assertAccessible("events");
    await page.getByLabel("Type").selectOption("sandbox.killed");
    await page.getByText("There are no such events.").waitFor();
    await sandbox.kill();
    await row("sandbox.killed", sandbox.sandboxId).waitFor();

    await openSection("Webhooks");
    await dashboard.assertAccessible("webhooks");
    await button("Create a webhook").click();
    await dialog().getByText("oc webhook create --url https://example.com/hook").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "https://hook.example.test/" }).click();
    await button("Resend sandbox.killed").click();
    await submit("Resend");
    await button("Resend sandbox.killed").nth(1).waitFor();
    await dashboard.assertAccessible("deliveries");
    await button("Disable https://hook.example.test/").click();
    await submit("Disable");
    await button("Enable https://hook.example.test/").click();
    await submit("Enable");
    const { enabled } = await Webhook.get(id, scenario.connection);
    assert.equal(enabled, true);
    await button("Delete https://hook.example.test/").click();
    await submit("Delete");
    await page.getByText("The org has no webhooks.").waitFor();
    assert.ok(dashboard.received.every(({ text }) => !text.includes(canary)));
  });

  test("projects, images, keys and the node have their pages", async () => {
    await openSection("Projects");
    await button("Create a project").click();
    await dialog().getByLabel("Name").fill("web");
    await submit("Create");
    await heading("Project web").waitFor();
    await button("Set a secret").click();
    await dialog().getByLabel("Name").fill("PROJECT_KEY");
    await dialog().getByRole("textbox", { name: "Value" }).fill(canary);
    await submit("Set");
    const secret = page.getByRole("row").filter({ hasText: "PROJECT_KEY" });
    await secret.filter({ hasText: "header, body" }).filter({ hasText: "never" }).waitFor();
    assert.ok(dashboard.received.every(({ text }) => !text.includes(canary)));
    await dashboard.assertAccessible("project");
    await openSection("Images");
    await dashboard.assertAccessible("images");
    await openSection("API keys");
    await page.getByRole("cell", { name: "initial", exact: true }).waitFor();
    await button("Create a key").click();
    await dialog().getByText("oc key create --name NAME").waitFor();
    await page.keyboard.press("Escape");
    await dashboard.assertAccessible("keys");
    await openSection("Node");
    const processes = page.getByRole("table", { name: "Processes" });
    for (const name of ["control-plane", "worker", "egress-proxy"]) {
      const row = processes.getByRole("row").filter({ hasText: name });
      await row.getByText("running", { exact: true }).waitFor();
    }
    await page.getByText("Sandboxes can be created.").waitFor();
    await dashboard.assertAccessible("node");
  });

  test("it is killed", async () => {
    await page.goto(`${scenario.connection.apiUrl}/#/sandboxes/${sandboxId}`);
    await button(`Actions of ${sandboxId}`).click();
    await page.getByRole("menuitem", { name: "Kill…" }).click();
    await submit("Kill");
    await page.getByText("There are no sandboxes.").waitFor();
    assert.deepEqual(await Sandbox.list(scenario.connection), []);
  });

  test("pages of other hosts and origins use the session for nothing", async () => {
    const cookie = (await sessionCookie(dashboard))?.value;
    assert.ok(cookie !== undefined);
    assert.equal(await statusWith(cookie), 200);
    assert.equal(await statusWith(cookie, { origin: "http://evil.test" }), 403);
    assert.equal(await statusWith(cookie, { host: "evil.test" }), 421);
    assert.equal(await statusWith(undefined), 401);
    const foreign = await dashboard.context.newPage();
    await foreign.setContent("<title>elsewhere</title>");
    const reached = await foreign.evaluate(
      (url) =>
        fetch(url, { credentials: "include" }).then(
          ({ status }) => status,
          () => "refused",
        ),
      `${scenario.connection.apiUrl}/api/sandboxes`,
    );
    assert.equal(reached, "refused");
    await foreign.close();
  });

  test("a refusal has what helps, too", async () => {
    const absent = `sb-${"a".repeat(20)}`;
    await page.goto(`${scenario.connection.apiUrl}/#/sandboxes/${absent}`);
    const alert = page.getByRole("alert");
    await alert.getByText(`sandbox not found: ${absent}`).waitFor();
    await alert.getByText("oc ls", { exact: true }).waitFor();
    await dashboard.assertAccessible("refusal");
  });

  test("a revoked key and a sign-out end the session, in the page and for a copy of the cookie", async () => {
    const { key, id } = await ApiKey.create({ ...scenario.connection, name: "of a browser" });
    const other = await openDashboard(scenario.connection.apiUrl);
    await signIn(other.page, key);
    await other.page.getByRole("heading", { name: "Sandboxes" }).waitFor();
    const copied = (await sessionCookie(other))?.value;
    await ApiKey.revoke(id, scenario.connection);
    assert.equal(await statusWith(copied), 401);
    await other.page.getByRole("button", { name: "Sign in" }).waitFor();
    other.assertClean();
    await other.close();

    const cookie = (await sessionCookie(dashboard))?.value;
    await button("Sign out").click();
    await button("Sign in").waitFor();
    assert.equal(await statusWith(cookie), 401);
    assert.equal(await sessionCookie(dashboard), undefined);
  });

  test("the page has kept to its security policy, and cannot be framed", async () => {
    dashboard.assertClean();
    const response = await fetch(scenario.connection.apiUrl);
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, /script-src 'self';/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.ok(!(await response.text()).includes("<script>"));
  });
});
