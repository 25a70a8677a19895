import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { type DecodedPacket, decode, encode, type Packet } from "dns-packet";
import { createMessageFrames, frameMessage } from "../resolver/message-frames.ts";

/** What the nameserver does with a question; `undefined` for no response. */
export type Respond = (query: DecodedPacket, transport: "udp" | "tcp") => Packet | undefined;

export interface TestNameserver {
  readonly port: number;
  /** Queried types and names, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** A nameserver on UDP and TCP of one port. Id and question of a response are the query's unless given. */
export async function startNameserver(
  respond: Respond,
  address: { host: string; port: number } = { host: "127.0.0.1", port: 0 },
): Promise<TestNameserver> {
  const asked: string[] = [];
  const responseTo = (message: Buffer, transport: "udp" | "tcp"): Buffer | undefined => {
    const query = decode(message);
    asked.push(`${query.questions?.[0]?.type} ${query.questions?.[0]?.name}`);
    const packet = respond(query, transport);
    if (packet === undefined) return undefined;
    return encode({
      type: "response",
      id: query.id ?? 0,
      questions: query.questions ?? [],
      ...packet,
    });
  };

  const tcp = createServer((socket) => {
    const frames = createMessageFrames({ messageBytesMax: 4096 });
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      for (const message of frames.push(chunk) ?? []) {
        const response = responseTo(message, "tcp");
        if (response !== undefined) socket.write(frameMessage(response));
      }
    });
  });
  tcp.listen(address.port, address.host);
  await once(tcp, "listening");
  const bound = tcp.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
  const udp = createSocket("udp4");
  udp.on("message", (message, from) => {
    const response = responseTo(message, "udp");
    if (response !== undefined) udp.send(response, from.port, from.address);
  });
  udp.bind(port, address.host);
  await once(udp, "listening");

  return {
    port,
    asked,
    async close() {
      udp.close();
      tcp.close();
      await once(tcp, "close");
    },
  };
}
