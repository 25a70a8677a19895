import { lookup } from "node:dns/promises";
import { createAddressJudge, OwnAddresses } from "@opencomputer/process";
import { cloudServiceRanges } from "@opencomputer/protocol/wire";
import type { SendMessageDeps } from "./send-message.ts";

const everyAddress = ["0.0.0.0/0", "::/0"];

/**
 * The addresses that webhooks are sent to: those of the public internet, without this
 * host's own, and those of the ranges that the operator opens.
 */
export function createWebhookAddresses(openedRanges: readonly string[]): SendMessageDeps {
  const own = new OwnAddresses({ now: () => performance.now() });
  const judgeOpened = createAddressJudge(everyAddress, openedRanges);
  return {
    judgeAddress: createAddressJudge(cloudServiceRanges, openedRanges),
    isOwnAddress: (address) => own.has(address) && !judgeOpened(address).allowed,
    resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  };
}
