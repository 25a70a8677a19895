import type { ByteChannel } from "../http1/byte-channel.ts";
import { Refusal } from "./refusal.ts";

/**
 * Passes bytes both ways as they are, until both sides have ended or one is
 * lost. `bytes` is kept up to date as they pass. Once `mayPass` is false for
 * something that arrived, the connection breaks off.
 *
 * @throws {ChannelLostError}
 * @throws {Refusal}
 */
export async function passBytes(
  guest: ByteChannel,
  upstream: ByteChannel,
  bytes: { fromGuest: number; toGuest: number },
  mayPass: () => boolean,
): Promise<void> {
  await Promise.all([
    passAll(guest, upstream, mayPass, (count) => {
      bytes.fromGuest += count;
    }),
    passAll(upstream, guest, mayPass, (count) => {
      bytes.toGuest += count;
    }),
  ]);
}

async function passAll(
  from: ByteChannel,
  to: ByteChannel,
  mayPass: () => boolean,
  count: (bytes: number) => void,
): Promise<void> {
  for (;;) {
    const arrived = await from.read();
    if (arrived === null) break;
    if (!mayPass()) {
      throw new Refusal(
        "upgrade_refused",
        "A secret was set while a protocol other than websocket was in use: what follows cannot be searched and is not passed on",
        { wasAllowed: true },
      );
    }
    count(arrived.length);
    const blocked = to.write(arrived);
    if (blocked !== undefined) await blocked;
  }
  to.end();
}
