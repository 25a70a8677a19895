import { randomBytes } from "node:crypto";
import {
  type AllowedHosts,
  allowedHostsSchema,
  createdSandboxSchema,
  createSandboxRequestSchema,
  defaults,
  type SandboxDetail,
  sandboxDetailSchema,
  sandboxSummarySchema,
  setTimeoutRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { sealedTokenFrom } from "@opencomputer/protocol/wire";
import type { EventState } from "./event-routes.ts";
import type { Owner } from "./owner-routes.ts";
import type { Exchange, Route } from "./route.ts";
import type { SecretState } from "./secret-routes.ts";
import { findSnapshot, respondWithBuild, type SnapshotState } from "./snapshot-routes.ts";
import type { WebhookState } from "./webhook-routes.ts";

/** A sandbox of the contract server: a folder and variables on this machine. */
export interface FakeSandbox {
  detail: SandboxDetail;
  environment: Record<string, string>;
  allowedHosts: AllowedHosts;
}

export type SandboxState = Map<string, FakeSandbox>;

/** The life of a sandbox, without a machine behind it. */
export function sandboxRoutes(
  sandboxes: SandboxState,
  secrets: SecretState,
  snapshots: SnapshotState,
  { events, webhooks }: { events: Pick<EventState, "add">; webhooks: Pick<WebhookState, "create"> },
): Route[] {
  return [
    {
      method: "POST",
      path: "/sandboxes",
      async handle(exchange) {
        const request = await exchange.body(createSandboxRequestSchema);
        const project = named(secrets.projects, request.project);
        if (request.project && project === undefined) {
          throw new WireError("project_not_found", `project not found: ${request.project}`);
        }
        const store = named(secrets.stores, request.secretStore);
        if (request.secretStore && store === undefined) {
          throw new WireError(
            "secret_store_not_found",
            `secret store not found: ${request.secretStore}`,
          );
        }
        const image = request.snapshot
          ? findSnapshot(snapshots, request.snapshot, "snapshot_not_found").manifest
          : request.image;
        const sandboxID = `sb-${randomBytes(20).map((byte) => 97 + (byte % 26))}`;
        const timeout =
          project === undefined
            ? (request.timeout ?? defaults.idleTimeoutSeconds)
            : request.timeout || project.row.timeoutSec || defaults.idleTimeoutSeconds;
        const now = Date.now();
        const detail: SandboxDetail = {
          sandboxID,
          templateID: "base",
          template: "base",
          status: "running",
          cpuCount: request.cpuCount || project?.row.cpuCount || defaults.cpuCount,
          memoryMB: request.memoryMB || project?.row.memoryMB || defaults.memoryMB,
          startedAt: new Date(now).toISOString(),
          endAt: timeout === 0 ? null : new Date(now + timeout * 1000).toISOString(),
          metadata: request.metadata ?? {},
          tags: {},
          sandboxDomain: defaults.sandboxDomain,
          token: randomBytes(16).toString("hex"),
          idle: request.idle ?? "requests",
          ...(store === undefined ? {} : { secretStore: store.row.name }),
          ...(project === undefined ? {} : { project: project.row.name }),
        };
        const owned = [...(project?.secrets ?? []), ...(store?.secrets ?? [])];
        const tokens = owned.map(([name]) => [name, sealedTokenFrom(randomBytes(16))]);
        const limited = owned.filter(([, { entry }]) => entry.allowedHosts.length > 0);
        const unlimited = owned.filter(([, { entry }]) => entry.allowedHosts.length === 0);
        sandboxes.set(sandboxID, {
          detail,
          environment: { ...Object.fromEntries(tokens), ...request.envs },
          allowedHosts: {
            sandboxID,
            ...(project === undefined ? {} : { project: project.row.name }),
            ...(store === undefined ? {} : { secretStore: store.row.name }),
            ...(store === undefined || project === undefined
              ? {}
              : { baseSecretStore: project.row.name }),
            egressAllowlist: [
              ...new Set([
                ...(project?.row.egressAllowlist ?? []),
                ...(store?.row.egressAllowlist ?? []),
              ]),
            ],
            perSecretAllowedHosts: Object.fromEntries(
              limited.map(([name, { entry }]) => [name, entry.allowedHosts]),
            ),
            ...(unlimited.length === 0
              ? {}
              : { secretsForAllHosts: unlimited.map(([name]) => name) }),
          },
        });
        const ofSandbox = (request.webhooks ?? []).map((webhook) =>
          webhooks.create(sandboxID, webhook),
        );
        const { cpuCount, memoryMB } = detail;
        events.add(sandboxID, { type: "sandbox.created", data: { cpuCount, memoryMB } });
        events.add(sandboxID, { type: "sandbox.ready", data: {} });
        const { previewAuth } = request;
        const token =
          previewAuth?.token === "auto"
            ? randomBytes(32).toString("base64url")
            : previewAuth?.token;
        const created = {
          ...detail,
          ...(token === undefined ? {} : { previewAuthToken: token }),
          ...(ofSandbox.length === 0 ? {} : { webhooks: ofSandbox }),
        };
        if (image) await respondWithBuild(exchange, image, createdSandboxSchema, () => created);
        else await exchange.respond(201, createdSandboxSchema, created);
      },
    },
    {
      method: "GET",
      path: "/sandboxes",
      async handle(exchange) {
        const status = exchange.query.get("status");
        const rows = [...sandboxes.values()].map((sandbox) => sandbox.detail);
        const kept = rows.filter((row) =>
          status ? row.status === status : row.status !== "stopped",
        );
        await exchange.respond(200, sandboxSummarySchema.array(), kept);
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id",
      async handle(exchange) {
        const { detail } = findKnownSandbox(sandboxes, exchange);
        await exchange.respond(200, sandboxDetailSchema, detail);
      },
    },
    {
      method: "DELETE",
      path: "/sandboxes/:id",
      handle(exchange) {
        const { detail } = findKnownSandbox(sandboxes, exchange);
        if (exchange.query.get("deleteSecretStore") === "true") {
          deleteUnusedStore(sandboxes, secrets, detail);
        }
        detail.status = "stopped";
        events.add(detail.sandboxID, { type: "sandbox.killed", data: { reason: "requested" } });
        exchange.done();
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/timeout",
      async handle(exchange) {
        const { detail } = findSandbox(sandboxes, exchange);
        const { timeout } = await exchange.body(setTimeoutRequestSchema);
        detail.endAt = timeout === 0 ? null : new Date(Date.now() + timeout * 1000).toISOString();
        exchange.done();
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/allowed-hosts",
      async handle(exchange) {
        const { allowedHosts } = findSandbox(sandboxes, exchange);
        await exchange.respond(200, allowedHostsSchema, allowedHosts);
      },
    },
  ];
}

/** A sandbox that takes commands. */
export function findSandbox(sandboxes: SandboxState, exchange: Exchange): FakeSandbox {
  const sandbox = findKnownSandbox(sandboxes, exchange);
  const { sandboxID, status } = sandbox.detail;
  if (status === "running") return sandbox;
  throw new WireError("sandbox_not_running", `Sandbox ${sandboxID} is ${status}`);
}

/** A sandbox that runs or ran: the service returns a killed one for some time. */
export function findKnownSandbox(sandboxes: SandboxState, exchange: Exchange): FakeSandbox {
  const id = exchange.parameter("id");
  const sandbox = sandboxes.get(id);
  if (sandbox === undefined) {
    throw new WireError("sandbox_not_found", `There is no sandbox ${id}`);
  }
  return sandbox;
}

function named<Row extends { name: string }>(
  owners: Map<string, Owner<Row>>,
  name: string | null | undefined,
): Owner<Row> | undefined {
  return [...owners.values()].find((owner) => owner.row.name === name);
}

function deleteUnusedStore(
  sandboxes: SandboxState,
  { stores }: SecretState,
  { sandboxID, secretStore }: SandboxDetail,
): void {
  const store = [...stores.values()].find(({ row }) => row.name === secretStore);
  if (store === undefined) return;
  for (const { detail } of sandboxes.values()) {
    const isOther = detail.sandboxID !== sandboxID && detail.status !== "stopped";
    if (!isOther || detail.secretStore !== secretStore) continue;
    throw new WireError(
      "secret_store_in_use",
      `Secret store ${JSON.stringify(secretStore)} is also used by sandbox ${detail.sandboxID}`,
    );
  }
  stores.delete(store.row.id);
}
