import {
  createdWebhookSchema,
  createWebhookRequestSchema,
  listDeliveriesQuerySchema,
  listWebhooksQuerySchema,
  updateWebhookRequestSchema,
  webhookDeliverySchema,
  webhookRecordSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { WebhookService } from "../../webhooks/webhook-service.ts";
import { idParamsSchema, noContent } from "./route-parts.ts";

/** Where events of the caller's org are sent. */
export const webhookRoutes: FastifyPluginAsyncZod<{ webhooks: WebhookService }> = async (
  app,
  { webhooks },
) => {
  app.post(
    "/webhooks",
    {
      config: { returnsCredential: true },
      schema: {
        summary: "Create a webhook; only this response has its secret",
        body: createWebhookRequestSchema,
        response: { 201: createdWebhookSchema },
      },
    },
    async (request, reply) => {
      const created = await webhooks.create(request.orgId, request.body);
      return reply.code(201).header("cache-control", "no-store").send(created);
    },
  );

  app.get(
    "/webhooks",
    {
      schema: {
        summary: "List the webhooks of the org, or of a sandbox, without their secrets",
        querystring: listWebhooksQuerySchema,
        response: { 200: z.array(webhookRecordSchema) },
      },
    },
    async (request) => webhooks.list(request.orgId, request.query.sandboxId ?? null),
  );

  app.get(
    "/webhooks/:id",
    {
      schema: {
        summary: "Get a webhook",
        params: idParamsSchema,
        response: { 200: webhookRecordSchema },
      },
    },
    async (request) => webhooks.get(request.orgId, request.params.id),
  );

  app.patch(
    "/webhooks/:id",
    {
      schema: {
        summary: "Change a webhook, disable it, or enable it again",
        params: idParamsSchema,
        body: updateWebhookRequestSchema,
        response: { 200: webhookRecordSchema },
      },
    },
    async (request) => webhooks.update(request.orgId, request.params.id, request.body),
  );

  app.delete(
    "/webhooks/:id",
    {
      schema: {
        summary: "Delete a webhook and its pending deliveries",
        params: idParamsSchema,
        response: noContent,
      },
    },
    async (request, reply) => {
      await webhooks.delete(request.orgId, request.params.id);
      return reply.code(204).send();
    },
  );

  app.get(
    "/webhooks/:id/deliveries",
    {
      schema: {
        summary: "List the deliveries of a webhook, past and pending, newest first",
        params: idParamsSchema,
        querystring: listDeliveriesQuerySchema,
        response: { 200: z.array(webhookDeliverySchema) },
      },
    },
    async (request) => webhooks.deliveries(request.orgId, request.params.id, request.query),
  );

  app.post(
    "/webhooks/:id/deliveries/:deliveryId/resend",
    {
      schema: {
        summary: "Send an event to a webhook again",
        params: idParamsSchema.extend({ deliveryId: z.string() }),
        response: { 202: webhookDeliverySchema },
      },
    },
    async (request, reply) => {
      const { id, deliveryId } = request.params;
      return reply.code(202).send(await webhooks.resend(request.orgId, id, deliveryId));
    },
  );
};
