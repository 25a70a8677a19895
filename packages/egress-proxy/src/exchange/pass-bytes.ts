import type { ByteChannel } from "../http1/byte-channel.ts";

/**
 * Passes bytes both ways as they are, until both sides have ended or one is
 * lost. `bytes` is kept up to date as they pass.
 *
 * @throws {ChannelLostError}
 */
export async function passBytes(
  guest: ByteChannel,
  upstream: ByteChannel,
  bytes: { fromGuest: number; toGuest: number },
): Promise<void> {
  await Promise.all([
    passAll(guest, upstream, (count) => {
      bytes.fromGuest += count;
    }),
    passAll(upstream, guest, (count) => {
      bytes.toGuest += count;
    }),
  ]);
}

async function passAll(
  from: ByteChannel,
  to: ByteChannel,
  count: (bytes: number) => void,
): Promise<void> {
  for (;;) {
    const arrived = await from.read();
    if (arrived === null) break;
    count(arrived.length);
    const blocked = to.write(arrived);
    if (blocked !== undefined) await blocked;
  }
  to.end();
}
