import { lookup } from "node:dns/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import { createAddressJudge, type JudgeAddress, OwnAddresses } from "@opencomputer/process";
import { cloudServiceRanges } from "@opencomputer/protocol/wire";

/** Decides which addresses are sent to, and resolves names. */
export interface SendMessageDeps {
  judgeAddress: JudgeAddress;
  isOwnAddress: (address: string) => boolean;
  /** Every address of a name. */
  resolve: (host: string) => Promise<readonly string[]>;
}

/** A message was not sent, or had no response. Its text is for the webhook's owner. */
export class SendError extends Error {}

/**
 * Posts a message and resolves with the status of the response, whose body is not read. The
 * address that was judged is the one that is dialled: a name whose address changes in
 * between has no effect. Redirects are not followed.
 *
 * @throws {SendError}
 */
export async function sendMessage(
  deps: SendMessageDeps,
  url: URL,
  message: { headers: Record<string, string>; body: string },
  signal: AbortSignal,
): Promise<number> {
  const address = await untilAborted(chooseAddress(deps, hostOf(url)), signal);
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: "POST",
      headers: { ...message.headers, "content-length": Buffer.byteLength(message.body) },
      // A connection of its own: none is kept for a receiver that may never be called again.
      agent: false,
      lookup: (_host, options, done) => {
        const family = isIP(address);
        if (options.all === true) done(null, [{ address, family }]);
        else done(null, address, family);
      },
      signal,
    });
    sent.once("response", (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    sent.on("error", (error) => {
      reject(signal.aborted ? signal.reason : new SendError(describe(error), { cause: error }));
    });
    sent.end(message.body);
  });
}

async function chooseAddress(deps: SendMessageDeps, host: string): Promise<string> {
  const found = isIP(host) === 0 ? await resolveOrFail(deps, host) : [host];
  const refusals: string[] = [];
  for (const text of found) {
    const verdict = deps.judgeAddress(text);
    if (!verdict.allowed) refusals.push(`${text} (${verdict.range})`);
    else if (deps.isOwnAddress(verdict.address)) refusals.push(`${text} (this host)`);
    else return verdict.address;
  }
  throw new SendError(
    `${host} is not on the public internet: its address is ${refusals.slice(0, 6).join(", ")}. An operator can open it with OPENCOMPUTER_WEBHOOK_ADDRESSES`,
  );
}

async function resolveOrFail(deps: SendMessageDeps, host: string): Promise<readonly string[]> {
  try {
    const addresses = await deps.resolve(host);
    if (addresses.length > 0) return addresses;
  } catch (error) {
    throw new SendError(`${host} was not resolved: ${describe(error)}`, { cause: error });
  }
  throw new SendError(`${host} has no address`);
}

/** The host of a URL; an IPv6 address without its brackets. */
function hostOf({ hostname }: URL): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

/** A resolution cannot be aborted, so it is left to itself. */
function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

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
