import type { ByteChannel } from "../../http1/byte-channel.ts";
import { Refusal } from "../failure/refusal.ts";

/**
 * Passes bytes in both directions unchanged, until both sides have ended or one
 * is lost, and counts them in `bytes`. Breaks the connection off when `mayPass`
 * returns false for something that arrived.
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
