import type { ByteChannel } from "../http1/byte-channel.ts";

export interface TunnelledOctets {
  fromGuest: number;
  toGuest: number;
}

/**
 * Passes octets both ways after a switch of protocols, until both sides have
 * ended or one is lost. Nothing in them is substituted or sealed: they are no
 * longer HTTP. `octets` is kept up to date as they pass.
 *
 * @throws {ChannelLostError}
 */
export async function tunnel(
  guest: ByteChannel,
  upstream: ByteChannel,
  octets: TunnelledOctets,
): Promise<void> {
  await Promise.all([
    passAll(guest, upstream, (count) => {
      octets.fromGuest += count;
    }),
    passAll(upstream, guest, (count) => {
      octets.toGuest += count;
    }),
  ]);
}

async function passAll(
  from: ByteChannel,
  to: ByteChannel,
  count: (octets: number) => void,
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
