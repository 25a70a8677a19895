import { ApiKey } from "../api-key.ts";
import type { ConnectionOptions } from "../connection.ts";
import { EgressLog } from "../egress-log.ts";
import { Events } from "../events.ts";
import { Image } from "../image/image.ts";
import { Snapshots } from "../image/snapshots.ts";
import { Project } from "../project.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { SecretStore } from "../secret-store.ts";
import { Usage } from "../usage.ts";
import { Webhook } from "../webhook.ts";

/** What the calls work on. Those that create an object put it here for those after them. */
export interface MethodWorld {
  connection: ConnectionOptions;
  sandbox: Sandbox;
  storeId: string;
  projectId: string;
  keyId: string;
  sessionId: string;
  shellId: string;
  terminalId: string;
  checkpointId: string;
  patchId: string;
  webhookId: string;
  deliveryId: string;
}

export type MethodCall = (world: MethodWorld, signal?: AbortSignal) => Promise<unknown>;

/**
 * A call of every method of the SDK, under the name that its users write. In
 * this order each finds what it needs: {@link methodNames} shows whether one
 * is missing.
 */
export const everyMethod: Readonly<Record<string, MethodCall>> = {
  // First, so that it gets events.
  "Webhook.create": async (world, signal) => {
    const options = { ...world.connection, signal, url: "http://127.0.0.1:1/hook" };
    world.webhookId = (await Webhook.create(options)).id;
  },
  "Webhook.list": ({ connection }, signal) => Webhook.list({ ...connection, signal }),
  "Webhook.get": ({ connection, webhookId }, signal) =>
    Webhook.get(webhookId, { ...connection, signal }),
  "Webhook.update": ({ connection, webhookId }, signal) =>
    Webhook.update(webhookId, {
      ...{ ...connection, signal, url: "http://127.0.0.1:1/renamed" },
      ...{ eventTypes: null, enabled: true },
    }),

  "SecretStore.create": async (world, signal) => {
    const egressAllowlist = ["api.example.com"];
    const options = { ...world.connection, signal, name: "every-method", egressAllowlist };
    world.storeId = (await SecretStore.create(options)).id;
  },
  "SecretStore.list": ({ connection }, signal) => SecretStore.list({ ...connection, signal }),
  "SecretStore.get": ({ connection, storeId }, signal) =>
    SecretStore.get(storeId, { ...connection, signal }),
  "SecretStore.update": ({ connection, storeId }, signal) =>
    SecretStore.update(storeId, {
      ...{ ...connection, signal },
      name: "every-method-store",
      substituteIn: ["header"],
    }),
  "SecretStore.setSecret": ({ connection, storeId }, signal) =>
    SecretStore.setSecret(storeId, "STORE_KEY", "value-of-the-store", {
      ...{ ...connection, signal },
      allowedHosts: ["api.example.com"],
      substituteIn: ["header:x-api-key"],
    }),
  "SecretStore.listSecrets": ({ connection, storeId }, signal) =>
    SecretStore.listSecrets(storeId, { ...connection, signal }),

  "Project.create": async (world, signal) => {
    const options = { ...world.connection, signal, name: "every-method", timeoutSec: 600 };
    world.projectId = (await Project.create(options)).id;
  },
  "Project.list": ({ connection }, signal) => Project.list({ ...connection, signal }),
  "Project.get": ({ connection, projectId }, signal) =>
    Project.get(projectId, { ...connection, signal }),
  "Project.update": ({ connection, projectId }, signal) =>
    Project.update(projectId, { ...connection, signal, name: "every-method-project" }),
  "Project.setSecret": ({ connection, projectId }, signal) =>
    Project.setSecret(projectId, "PROJECT_KEY", "value-of-the-project", { ...connection, signal }),
  "Project.listSecrets": ({ connection, projectId }, signal) =>
    Project.listSecrets(projectId, { ...connection, signal }),
  "Project.listSecretEntries": ({ connection, projectId }, signal) =>
    Project.listSecretEntries(projectId, { ...connection, signal }),

  "Sandbox.create": async (world, signal) => {
    world.sandbox = await Sandbox.create({
      ...{ ...world.connection, signal },
      secretStore: "every-method-store",
      project: "every-method-project",
      metadata: { purpose: "every method" },
    });
  },
  "Sandbox.connect": ({ connection, sandbox }, signal) =>
    Sandbox.connect(sandbox.id, { ...connection, signal }),
  "Sandbox.get": ({ connection, sandbox }, signal) =>
    Sandbox.get(sandbox.id, { ...connection, signal }),
  "Sandbox.list": ({ connection }, signal) =>
    Sandbox.list({ ...connection, signal, status: "running" }),
  "sandbox.getInfo": ({ sandbox }, signal) => sandbox.getInfo({ signal }),
  "sandbox.isRunning": ({ sandbox }, signal) => sandbox.isRunning({ signal }),
  "sandbox.setTimeout": ({ sandbox }, signal) => sandbox.setTimeout(300, { signal }),
  "sandbox.egress.list": ({ sandbox }, signal) =>
    sandbox.egress.list({ signal, order: "desc", limit: 5, refused: true, host: "*.example.com" }),
  "sandbox.egress.follow": async ({ sandbox }, signal) => {
    // A sandbox that has used no network has no entry, which it would wait for.
    const moment = AbortSignal.timeout(500);
    const either = signal === undefined ? moment : AbortSignal.any([signal, moment]);
    try {
      for await (const _ of sandbox.egress.follow({ cursor: "0", signal: either })) return;
    } catch (error) {
      if (error !== moment.reason) throw error;
    }
  },
  "sandbox.egress.explain": ({ sandbox }, signal) =>
    sandbox.egress.explain("https://api.example.com/v1", { signal, method: "POST" }),
  "sandbox.egress.suggest": ({ sandbox }, signal) => sandbox.egress.suggest({ signal }),
  "sandbox.allowedHosts": ({ sandbox }, signal) => sandbox.allowedHosts({ signal }),
  "sandbox.setTags": ({ sandbox }, signal) => sandbox.setTags({ team: "sdk" }, { signal }),
  "sandbox.updateTags": ({ sandbox }, signal) =>
    sandbox.updateTags({ team: "sdk", old: null }, { signal }),
  "sandbox.getTags": ({ sandbox }, signal) => sandbox.getTags({ signal }),
  "sandbox.usage": ({ sandbox }, signal) =>
    sandbox.usage({ signal, since: new Date(Date.now() - 3600_000), interval: "hour" }),
  "Usage.ofSandbox": ({ connection, sandbox }, signal) =>
    Usage.ofSandbox(sandbox.id, { ...connection, signal }),
  "Usage.ofOrg": ({ connection }, signal) =>
    Usage.ofOrg({ ...connection, signal, tags: { team: "sdk" }, limit: 5 }),
  "Usage.byTag": ({ connection }, signal) => Usage.byTag("team", { ...connection, signal }),
  "Sandbox.listTagKeys": ({ connection }, signal) => Sandbox.listTagKeys({ ...connection, signal }),

  "sandbox.createPreviewURL": ({ sandbox }, signal) =>
    sandbox.createPreviewURL({ port: 3000, authConfig: {}, signal }),
  "sandbox.listPreviewURLs": ({ sandbox }, signal) => sandbox.listPreviewURLs({ signal }),
  "sandbox.createPreviewLink": ({ sandbox }, signal) => sandbox.createPreviewLink(3000, { signal }),
  "sandbox.rotatePreviewAuth": ({ sandbox }, signal) => sandbox.rotatePreviewAuth({ signal }),
  "sandbox.deletePreviewURL": ({ sandbox }, signal) => sandbox.deletePreviewURL(3000, { signal }),

  "sandbox.exec.run": ({ sandbox }, signal) =>
    sandbox.exec.run("echo", { signal, args: ["done"], envs: { CI: "1" }, cwd: "/tmp" }),
  "sandbox.exec.startDetached": async (world, signal) => {
    const options = { signal, maxRunAfterDisconnect: 60 };
    world.sessionId = (await world.sandbox.exec.startDetached("sleep 600", options)).sessionID;
  },
  "sandbox.exec.list": ({ sandbox }, signal) => sandbox.exec.list({ signal }),
  "sandbox.exec.get": ({ sandbox, sessionId }, signal) => sandbox.exec.get(sessionId, { signal }),
  "sandbox.exec.attach": async ({ sandbox, sessionId }, signal) =>
    (await sandbox.exec.attach(sessionId, { signal })).close(),
  "sandbox.exec.result": ({ sandbox, sessionId }, signal) =>
    sandbox.exec.result(sessionId, { signal }),
  "sandbox.exec.kill": ({ sandbox, sessionId }, signal) =>
    sandbox.exec.kill(sessionId, 15, { signal }),
  "sandbox.exec.start": async ({ sandbox }, signal) =>
    (await sandbox.exec.start("cat", { signal, args: ["/dev/null"] })).wait(),
  "sandbox.exec.shell": async (world, signal) => {
    const shell = await world.sandbox.exec.shell({ signal, cwd: "/tmp", envs: { CI: "1" } });
    world.shellId = shell.sessionId;
  },
  "sandbox.exec.reattachShell": async ({ sandbox, shellId }, signal) =>
    (await sandbox.exec.reattachShell(shellId, { signal })).close(),
  "sandbox.exec.runAsync": ({ sandbox }, signal) =>
    sandbox.exec.runAsync("echo", { signal, args: ["done"] }),
  "sandbox.pty.create": async (world, signal) => {
    const terminal = await world.sandbox.pty.create({ cols: 80, rows: 24, shell: "sh", signal });
    world.terminalId = terminal.sessionId;
    terminal.close();
  },
  "sandbox.pty.list": ({ sandbox }, signal) => sandbox.pty.list({ signal }),
  "sandbox.pty.get": ({ sandbox, terminalId }, signal) => sandbox.pty.get(terminalId, { signal }),
  "sandbox.pty.attach": async ({ sandbox, terminalId }, signal) =>
    (await sandbox.pty.attach(terminalId, { signal })).close(),
  "sandbox.pty.resize": ({ sandbox, terminalId }, signal) =>
    sandbox.pty.resize(terminalId, { cols: 100, rows: 30 }, { signal }),
  "sandbox.pty.kill": ({ sandbox, terminalId }, signal) => sandbox.pty.kill(terminalId, { signal }),
  "sandbox.files.makeDir": ({ sandbox }, signal) => sandbox.files.makeDir("every", { signal }),
  "sandbox.files.write": ({ sandbox }, signal) =>
    sandbox.files.write("every/file", "content", { signal }),
  "sandbox.files.writeStream": ({ sandbox }, signal) =>
    sandbox.files.writeStream("every/file", new Blob(["content"]).stream(), { signal }),
  "sandbox.files.read": ({ sandbox }, signal) => sandbox.files.read("every/file", { signal }),
  "sandbox.files.readBytes": ({ sandbox }, signal) =>
    sandbox.files.readBytes("every/file", { signal }),
  "sandbox.files.readStream": async ({ sandbox }, signal) =>
    await new Response(await sandbox.files.readStream("every/file", { signal })).text(),
  "sandbox.files.list": ({ sandbox }, signal) => sandbox.files.list("every", { signal }),
  "sandbox.files.exists": ({ sandbox }, signal) => sandbox.files.exists("every/file", { signal }),
  "sandbox.files.downloadUrl": ({ sandbox }, signal) =>
    sandbox.files.downloadUrl("every/file", { signal, expiresIn: 60 }),
  "sandbox.files.uploadUrl": ({ sandbox }, signal) =>
    sandbox.files.uploadUrl("every/file", { signal }),
  "sandbox.files.remove": ({ sandbox }, signal) => sandbox.files.remove("every", { signal }),

  "sandbox.createCheckpoint": async (world, signal) => {
    const options = { signal, kind: "full", retentionPolicy: { mode: "none" } } as const;
    world.checkpointId = (await world.sandbox.createCheckpoint("every-method", options)).id;
  },
  "Sandbox.createFromCheckpoint": async ({ connection, checkpointId }, signal) => {
    const options = { ...connection, signal, timeout: 600, envs: { FORK: "1" }, metadata: {} };
    const fork = await Sandbox.createFromCheckpoint(checkpointId, options);
    await fork.kill({ signal });
  },
  "Sandbox.createCheckpointPatch": async (world, signal) => {
    const options = { ...world.connection, signal, script: "true", description: "nothing" };
    world.patchId = (await Sandbox.createCheckpointPatch(world.checkpointId, options)).id;
  },
  "Sandbox.listCheckpointPatches": ({ connection, checkpointId }, signal) =>
    Sandbox.listCheckpointPatches(checkpointId, { ...connection, signal }),
  "Sandbox.deleteCheckpointPatch": ({ connection, checkpointId, patchId }, signal) =>
    Sandbox.deleteCheckpointPatch(checkpointId, patchId, { ...connection, signal }),
  "Sandbox.listCheckpoints": ({ connection, sandbox }, signal) =>
    Sandbox.listCheckpoints(sandbox.id, { ...connection, signal }),
  "sandbox.listCheckpoints": ({ sandbox }, signal) => sandbox.listCheckpoints({ signal }),
  "sandbox.restoreCheckpoint": ({ sandbox, checkpointId }, signal) =>
    sandbox.restoreCheckpoint(checkpointId, { signal }),
  "Sandbox.deleteCheckpoint": async ({ connection, sandbox }, signal) => {
    const options = { kind: "disk_only", wait: true, signal } as const;
    const { id } = await sandbox.createCheckpoint("every-method-deleted", options);
    await Sandbox.deleteCheckpoint(sandbox.id, id, { ...connection, signal });
  },
  "sandbox.deleteCheckpoint": ({ sandbox, checkpointId }, signal) =>
    sandbox.deleteCheckpoint(checkpointId, { signal }),
  "sandbox.scale": ({ sandbox }, signal) => sandbox.scale({ memoryMB: 1280, signal }),
  "sandbox.setLimits": ({ sandbox }, signal) => sandbox.setLimits({ cpuPercent: 100, signal }),
  "sandbox.setAutoscale": ({ sandbox }, signal) =>
    sandbox.setAutoscale({ enabled: true, minMemoryMB: 1024, maxMemoryMB: 1536, signal }),
  "sandbox.getAutoscale": ({ sandbox }, signal) => sandbox.getAutoscale({ signal }),
  "sandbox.setScalingLock": ({ sandbox }, signal) => sandbox.setScalingLock(true, { signal }),
  "sandbox.getScalingLock": ({ sandbox }, signal) => sandbox.getScalingLock({ signal }),
  "sandbox.reboot": ({ sandbox }, signal) => sandbox.reboot({ signal }),
  "sandbox.powerCycle": ({ sandbox }, signal) => sandbox.powerCycle({ signal }),
  "sandbox.hibernate": ({ sandbox }, signal) => sandbox.hibernate({ signal }),
  "sandbox.wake": ({ sandbox }, signal) => sandbox.wake({ signal, timeout: 600 }),

  "snapshots.create": ({ connection }, signal) =>
    new Snapshots(connection).create({
      ...{ signal, name: "every-method" },
      image: Image.base().runCommands("true").env({ MADE: "1" }).workdir("/workspace"),
      onBuildLog: () => undefined,
    }),
  "snapshots.list": ({ connection }, signal) => new Snapshots(connection).list({ signal }),
  "snapshots.get": ({ connection }, signal) =>
    new Snapshots(connection).get("every-method", { signal }),
  "snapshots.delete": ({ connection }, signal) =>
    new Snapshots(connection).delete("every-method", { signal }),

  "sandbox.kill": ({ sandbox }, signal) => sandbox.kill({ signal }),
  "Sandbox.kill": ({ connection, sandbox }, signal) =>
    Sandbox.kill(sandbox.id, { ...connection, signal }),

  "Events.list": ({ connection }, signal) =>
    Events.list({ ...connection, signal, order: "desc", limit: 5, types: ["sandbox.killed"] }),
  "Events.follow": async ({ connection }, signal) => {
    // The first event that was kept ends it; without any it waits for one.
    for await (const _ of Events.follow({ ...connection, signal, cursor: "0-0" })) return;
  },

  "Webhook.listDeliveries": async (world, signal) => {
    const options = { ...world.connection, signal, limit: 5 };
    const [delivery] = await Webhook.listDeliveries(world.webhookId, options);
    world.deliveryId = delivery?.id ?? world.deliveryId;
  },
  "Webhook.resend": ({ connection, webhookId, deliveryId }, signal) =>
    Webhook.resend(webhookId, deliveryId, { ...connection, signal }),
  "Webhook.delete": ({ connection, webhookId }, signal) =>
    Webhook.delete(webhookId, { ...connection, signal }),

  "Project.revokeSecret": ({ connection, projectId }, signal) =>
    Project.revokeSecret(projectId, "PROJECT_KEY", { ...connection, signal }),
  "SecretStore.revokeSecret": ({ connection, storeId }, signal) =>
    SecretStore.revokeSecret(storeId, "STORE_KEY", { ...connection, signal }),
  "Project.deleteSecret": ({ connection, projectId }, signal) =>
    Project.deleteSecret(projectId, "PROJECT_KEY", { ...connection, signal }),
  "Project.delete": ({ connection, projectId }, signal) =>
    Project.delete(projectId, { ...connection, signal }),
  "SecretStore.deleteSecret": ({ connection, storeId }, signal) =>
    SecretStore.deleteSecret(storeId, "STORE_KEY", { ...connection, signal }),
  "SecretStore.delete": ({ connection, storeId }, signal) =>
    SecretStore.delete(storeId, { ...connection, signal }),

  "ApiKey.create": async (world, signal) => {
    const options = { ...world.connection, signal, name: "every-method" };
    world.keyId = (await ApiKey.create(options)).id;
  },
  "ApiKey.list": ({ connection }, signal) => ApiKey.list({ ...connection, signal }),
  "ApiKey.revoke": ({ connection, keyId }, signal) =>
    ApiKey.revoke(keyId, { ...connection, signal }),
};

/** The methods that the SDK really has, under the names of {@link everyMethod}. */
export function methodNames(sandbox: Sandbox): string[] {
  return [
    ...functionsOf("SecretStore", SecretStore),
    ...functionsOf("Project", Project),
    ...functionsOf("ApiKey", ApiKey),
    ...functionsOf("Events", Events),
    ...functionsOf("Webhook", Webhook),
    ...functionsOf("Usage", Usage),
    ...functionsOf("snapshots", Snapshots.prototype),
    ...functionsOf("Sandbox", Sandbox),
    ...functionsOf("sandbox", Sandbox.prototype),
    ...functionsOf("sandbox.egress", EgressLog.prototype),
    ...functionsOf("sandbox.exec", sandbox.exec),
    ...functionsOf("sandbox.files", sandbox.files),
    ...functionsOf("sandbox.pty", sandbox.pty),
  ];
}

function functionsOf(owner: string, object: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(object))
    .filter(([name, { value }]) => typeof value === "function" && name !== "constructor")
    .map(([name]) => `${owner}.${name}`);
}
