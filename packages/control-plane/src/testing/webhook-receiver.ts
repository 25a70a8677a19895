import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import { z } from "zod";

/** A message as a receiver got it. */
export interface ReceivedMessage {
  path: string;
  headers: Record<string, string>;
  body: string;
}

const addressSchema = z.object({ port: z.number() });

/** A server that webhooks lead to. It responds with 204 unless a test decides otherwise. */
export async function startWebhookReceiver() {
  const messages: ReceivedMessage[] = [];
  const receiver = {
    messages,
    respond: (response: ServerResponse, _message: ReceivedMessage): void => {
      response.writeHead(204).end();
    },
    url: "",
    /** Ids of the events so far, with those that came twice twice. */
    ids: () => messages.map(({ headers }) => headers["webhook-id"]),
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    const message = { path: request.url ?? "", headers, body: await text(request) };
    messages.push(message);
    receiver.respond(response, message);
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  receiver.url = `http://127.0.0.1:${addressSchema.parse(server.address()).port}`;
  return receiver;
}
export type WebhookReceiver = Awaited<ReturnType<typeof startWebhookReceiver>>;

/** The event of a message. @throws when it is not signed with the secret, or long ago. */
export function verifyMessage(secret: string, { body, headers }: ReceivedMessage): unknown {
  return new Webhook(secret).verify(body, headers);
}
