import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { decode, encode, type RecordType } from "dns-packet";
import { createMessageFrames, frameMessage } from "../resolver/message-frames.ts";

export interface ResolverResponse {
  readonly responseCode: number;
  /** The data of the answer section's records. */
  readonly data: unknown[];
}

/** Asks one question from a source address, as a sandbox does. `undefined` when no response came. */
export function askResolver(question: {
  server: { address: string; port: number };
  localAddress: string;
  transport: "udp" | "tcp";
  name: string;
  type: RecordType;
  timeoutMilliseconds: number;
}): Promise<ResolverResponse | undefined> {
  const { server, localAddress, name, type } = question;
  const message = encode({
    type: "query",
    id: 4711,
    flags: 0x0100,
    questions: [{ name, type, class: "IN" }],
  });
  const exchange = new Promise<Buffer | undefined>((resolve) => {
    const timer = setTimeout(() => finish(), question.timeoutMilliseconds);
    let release: () => void;
    const finish = (response?: Buffer): void => {
      clearTimeout(timer);
      release();
      resolve(response);
    };
    if (question.transport === "udp") {
      const socket = createSocket("udp4");
      release = () => socket.close();
      socket.once("message", finish);
      socket.bind(0, localAddress, () => socket.send(message, server.port, server.address));
      return;
    }
    const socket = connect({ host: server.address, port: server.port, localAddress });
    const frames = createMessageFrames({ messageBytesMax: 65_535 });
    release = () => socket.destroy();
    socket.on("error", () => finish());
    socket.on("data", (chunk: Buffer) => {
      const [response] = frames.push(chunk) ?? [];
      if (response !== undefined) finish(response);
    });
    socket.write(frameMessage(message));
  });
  return exchange.then((response) => {
    if (response === undefined) return undefined;
    const packet = decode(response);
    return {
      responseCode: (packet.flags ?? 0) & 0xf,
      data: (packet.answers ?? []).map((record) => ("data" in record ? record.data : null)),
    };
  });
}
