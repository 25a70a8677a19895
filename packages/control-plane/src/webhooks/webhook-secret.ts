import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { SecretValue } from "../vault/secret-value.ts";

const secretBytes = 32;

/** Makes a signing secret of 256 random bits, `whsec_` and base64. */
export function mintWebhookSecret(): SecretValue {
  return new SecretValue(`whsec_${randomBytes(secretBytes).toString("base64")}`);
}

/** The header fields of a message, signed as Standard Webhooks defines it. */
export function signMessage(
  secret: SecretValue,
  message: { id: string; time: Date; body: string },
): Record<string, string> {
  const { id, time, body } = message;
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(time.getTime() / 1000)),
    "webhook-signature": new Webhook(secret.reveal()).sign(id, time, body),
  };
}
