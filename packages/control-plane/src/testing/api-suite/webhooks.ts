import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  createdWebhookSchema,
  limits,
  receivedEventSchema,
  type WebhookDelivery,
  webhookDeliverySchema,
  webhookRecordSchema,
} from "@opencomputer/protocol/api";
import { webhooks as webhookTable } from "../../database/schema.ts";
import { eventually } from "../test-installation.ts";
import { startWebhookReceiver, verifyMessage, type WebhookReceiver } from "../webhook-receiver.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const givenSecret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;

export function describeWebhooks(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("webhooks", openDatabase, (installation) => {
    let receiver: WebhookReceiver;
    before(async () => {
      receiver = await startWebhookReceiver();
    });
    after(() => receiver.close());
    beforeEach(async () => {
      for (const { id } of (await call("GET", "/api/webhooks")).json) {
        await call("DELETE", `/api/webhooks/${id}`);
      }
      receiver.messages.length = 0;
      receiver.respond = (response) => void response.writeHead(204).end();
    });

    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (body: object = {}) =>
      createdWebhookSchema
        .strict()
        .parse(
          (await call("POST", "/api/webhooks", { body: { url: receiver.url, ...body } })).json,
        );
    const deliveriesOf = async (id: string, query = ""): Promise<WebhookDelivery[]> =>
      webhookDeliverySchema
        .strict()
        .array()
        .parse((await call("GET", `/api/webhooks/${id}/deliveries${query}`)).json);
    const typesReceived = (secret: string) =>
      receiver.messages.map(
        (message) => receivedEventSchema.parse(verifyMessage(secret, message)).type as string,
      );

    test("what happens is sent, signed with a secret that only the first response has", async () => {
      const { secret, ...record } = await create();
      assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
      const { id } = record;
      assert.deepEqual((await call("GET", `/api/webhooks/${id}`)).json, record);
      assert.deepEqual((await call("GET", "/api/webhooks")).json, [record]);
      const { sandboxID } = (await call("POST", "/api/sandboxes")).json;
      await call("DELETE", `/api/sandboxes/${sandboxID}`);
      await eventually(() => receiver.messages.length === 3, "three events are sent");
      assert.deepEqual(typesReceived(secret).toSorted(), [
        "sandbox.created",
        "sandbox.killed",
        "sandbox.ready",
      ]);
      await eventually(
        async () => (await deliveriesOf(id)).every(({ state }) => state === "delivered"),
        "they are stored as delivered",
      );
      const [delivery] = await deliveriesOf(id);
      assert.deepEqual(
        [delivery?.attempts, delivery?.responseStatus, delivery?.error],
        [1, 204, null],
      );
      const events = (await call("GET", "/api/events?order=desc&limit=3")).json.events;
      assert.deepEqual(
        (await deliveriesOf(id)).map(({ eventId }) => eventId).toSorted(),
        events.map((event: { id: string }) => event.id).toSorted(),
      );
      const first = await call("GET", "/api/webhooks");
      assert.ok(!first.text.includes(secret));
    });

    test("a secret that is given signs, and types choose", async () => {
      const { secret } = await create({ secret: givenSecret, eventTypes: ["sandbox.killed"] });
      assert.equal(secret, givenSecret);
      const { sandboxID } = (await call("POST", "/api/sandboxes")).json;
      await call("DELETE", `/api/sandboxes/${sandboxID}`);
      await eventually(() => receiver.messages.length > 0, "it is sent");
      assert.deepEqual(typesReceived(givenSecret), ["sandbox.killed"]);
    });

    test("those of a sandbox get its events alone, and end with it", async () => {
      const webhooks = [
        { url: `${receiver.url}/one` },
        { url: `${receiver.url}/two`, secret: givenSecret },
      ];
      const created = (await call("POST", "/api/sandboxes", { body: { webhooks } })).json;
      assert.deepEqual(
        created.webhooks.map(({ url }: { url: string }) => url),
        webhooks.map(({ url }) => url),
      );
      const [one, two] = createdWebhookSchema.strict().array().parse(created.webhooks);
      assert.ok(one !== undefined && two?.secret === givenSecret);
      const id = created.sandboxID;
      assert.deepEqual([one.sandboxId, two.sandboxId], [id, id]);
      const { sandboxID: other } = (await call("POST", "/api/sandboxes")).json;
      await call("DELETE", `/api/sandboxes/${id}`);
      await eventually(() => receiver.messages.length === 6, "its events are sent to both");
      for (const message of receiver.messages) {
        const { secret } = message.path === "/one" ? one : two;
        const event = receivedEventSchema.parse(verifyMessage(secret, message));
        assert.equal(event.sandboxId, id);
      }
      assert.deepEqual((await call("GET", "/api/webhooks")).json, []);
      const listed = (await call("GET", `/api/webhooks?sandboxId=${id}`)).json;
      assert.equal(webhookRecordSchema.strict().array().parse(listed).length, 2);
      assert.deepEqual((await call("GET", `/api/webhooks?sandboxId=${other}`)).json, []);
      assert.ok(!(await call("GET", `/api/sandboxes/${other}`)).text.includes("whsec_"));
    });

    test("a create that is refused leaves no webhook", async () => {
      const count = await installation().database.$count(webhookTable);
      const body = { webhooks: [{ url: receiver.url }], secretStore: "absent" };
      assert.equal((await call("POST", "/api/sandboxes", { body })).status, 400);
      assert.equal(await installation().database.$count(webhookTable), count);
    });

    test("one that fails shows it, and is changed, disabled and enabled", async () => {
      receiver.respond = (response) => void response.writeHead(500).end("no");
      const { id } = await create({ eventTypes: ["sandbox.created"] });
      await call("POST", "/api/sandboxes");
      await eventually(
        async () => (await deliveriesOf(id, "?state=pending"))[0]?.responseStatus === 500,
        "the failure is shown",
      );
      const failing = (await call("GET", `/api/webhooks/${id}`)).json;
      assert.equal(typeof failing.failingSince, "string");
      const [delivery] = await deliveriesOf(id);
      assert.match(delivery?.error ?? "", /status 500/);
      assert.ok((delivery?.nextAttemptAt ?? "") > (delivery?.lastAttemptAt ?? ""));

      const patch = async (body: object) => {
        const response = await call("PATCH", `/api/webhooks/${id}`, { body });
        assert.equal(response.status, 200, response.text);
        return webhookRecordSchema.strict().parse(response.json);
      };
      const disabled = await patch({ enabled: false });
      assert.deepEqual([disabled.enabled, disabled.disabledReason], [false, "requested"]);
      await call("POST", "/api/sandboxes");
      assert.equal((await deliveriesOf(id)).length, 1, "a disabled one gets nothing");
      const resend = `/api/webhooks/${id}/deliveries/${delivery?.id}/resend`;
      assert.equal((await call("POST", resend)).status, 400);
      const enabled = await patch({ enabled: true, url: `${receiver.url}/new`, eventTypes: null });
      assert.deepEqual(
        [enabled.enabled, enabled.disabledReason, enabled.failingSince, enabled.eventTypes],
        [true, null, null, null],
      );
      assert.equal((await patch({})).url, `${receiver.url}/new`);
      receiver.respond = (response) => void response.writeHead(200).end();
      const again = await call("POST", resend);
      assert.equal(again.status, 202);
      assert.equal(again.json.eventId, delivery?.eventId);
      await eventually(
        async () =>
          (await deliveriesOf(id)).some(
            (each) => each.id === again.json.id && each.state === "delivered",
          ),
        "it is sent again",
      );
      assert.equal((await call("DELETE", `/api/webhooks/${id}`)).status, 204);
      assert.equal((await call("GET", `/api/webhooks/${id}`)).status, 404);
      assert.equal((await call("DELETE", `/api/webhooks/${id}`)).status, 404);
    });

    test("an org has so many, and a sandbox", async () => {
      const key = await installation().secondOrgKey();
      const body = { url: "https://receiver.example.com/" };
      for (let index = 0; index < limits.webhooksPerOrgMax; index += 1) {
        assert.equal((await call("POST", "/api/webhooks", { body, key })).status, 201);
      }
      const response = await call("POST", "/api/webhooks", { body, key });
      assert.deepEqual([response.status, response.json.code], [400, "limit_exceeded"]);
      assert.equal((await call("POST", "/api/webhooks", { body })).status, 201);
      const webhooks = Array.from({ length: limits.webhooksPerSandboxMax + 1 }, () => body);
      assert.equal((await call("POST", "/api/sandboxes", { body: { webhooks } })).status, 400);
    });

    const url = "https://receiver.example.com/";
    const refused: [string, unknown][] = [
      ["no URL", {}],
      ["an invalid URL", { url: "receiver.example.com" }],
      ["another scheme", { url: "ftp://receiver.example.com/" }],
      ["a password in the URL", { url: "https://user:password@receiver.example.com/" }],
      ["a fragment", { url: "https://receiver.example.com/#x" }],
      ["NUL in the URL", { url: `${url}\0` }],
      ["a URL that is too long", { url: url + "x".repeat(limits.webhookUrlCharactersMax) }],
      ["a type that does not exist", { url, eventTypes: ["sandbox.imagined"] }],
      ["no types", { url, eventTypes: [] }],
      ["a secret that is no base64", { url, secret: "whsec_not!" }],
      ["a secret that is too short", { url, secret: `whsec_${btoa("x".repeat(23))}` }],
      ["a secret that is too long", { url, secret: `whsec_${btoa("x".repeat(65))}` }],
    ];
    for (const [what, body] of refused) {
      test(`${what} is 400`, async () => {
        const response = await call("POST", "/api/webhooks", { body });
        assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
        assert.ok(!response.text.includes("user:password") && !response.text.includes("whsec_not"));
      });
    }

    test("deliveries and webhooks that do not exist are 404", async () => {
      const { id } = await create();
      const absent = "00000000-0000-4000-8000-000000000000";
      for (const path of [
        `/api/webhooks/${id}/deliveries/${absent}/resend`,
        `/api/webhooks/${absent}/deliveries/${absent}/resend`,
        `/api/webhooks/${id}/deliveries/x/resend`,
      ]) {
        assert.equal((await call("POST", path)).status, 404);
      }
      assert.equal((await call("GET", "/api/webhooks/x")).status, 404);
      assert.equal((await call("PATCH", `/api/webhooks/${absent}`, { body: {} })).status, 404);
      assert.equal((await call("GET", `/api/webhooks/${id}/deliveries?limit=0`)).status, 400);
    });
  });
}
