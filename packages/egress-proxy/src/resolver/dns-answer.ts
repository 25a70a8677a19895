import { type Answer, encode, type Packet } from "dns-packet";
import { type DnsQuestion, responseCodes } from "./dns-question.ts";

/** What the resolver says to a question. */
export interface DnsReply {
  readonly responseCode: number;
  readonly answers: readonly Answer[];
  /** The SOA record that lets an empty answer be cached (RFC 2308). */
  readonly authorities: readonly Answer[];
}

export type Transport = "udp" | "tcp";

const recursionDesiredFlag = 0x0100;
const recursionAvailableFlag = 0x0080;
const truncatedFlag = 0x0200;
/** RFC 1035, section 4.2.1: without EDNS an answer over UDP has at most this many octets. */
const plainUdpBytesMax = 512;
/** What passes every path without fragments; also stated in answers with EDNS. */
const ednsUdpBytesMax = 1232;
const tcpBytesMax = 65_535;

export function emptyReply(responseCode: number = responseCodes.noError): DnsReply {
  return { responseCode, answers: [], authorities: [] };
}

/** A reply that gives a name one IPv4 address, for `ttlSeconds`. */
export function addressReply(name: string, address: string, ttlSeconds: number): DnsReply {
  return {
    responseCode: responseCodes.noError,
    answers: [{ type: "A", class: "IN", name, ttl: ttlSeconds, data: address }],
    authorities: [],
  };
}

/**
 * The message that carries a reply. One that is too long for the transport
 * is emptied and marked truncated, so that the guest asks again over TCP; a
 * reply that cannot be encoded becomes a server failure.
 */
export function encodeReply(question: DnsQuestion, reply: DnsReply, transport: Transport): Buffer {
  const bytesMax = replyBytesMax(question, transport);
  const whole = tryEncode(packetFor(question, reply, 0));
  if (whole === undefined) {
    return encode(packetFor(question, emptyReply(responseCodes.serverFailure), 0));
  }
  if (whole.length <= bytesMax) return whole;
  return encode(packetFor(question, emptyReply(reply.responseCode), truncatedFlag));
}

/** A message that says only that a question could not be taken. */
export function encodeError(id: number, responseCode: number): Buffer {
  return encode({ type: "response", id, flags: recursionAvailableFlag | responseCode });
}

function replyBytesMax(question: DnsQuestion, transport: Transport): number {
  if (transport === "tcp") return tcpBytesMax;
  if (question.udpPayloadBytes === null) return plainUdpBytesMax;
  return Math.min(Math.max(question.udpPayloadBytes, plainUdpBytesMax), ednsUdpBytesMax);
}

function packetFor(question: DnsQuestion, reply: DnsReply, extraFlags: number): Packet {
  const desired = question.recursionDesired ? recursionDesiredFlag : 0;
  return {
    type: "response",
    id: question.id,
    flags: desired | recursionAvailableFlag | extraFlags | (reply.responseCode & 0xf),
    questions: [{ name: question.name, type: question.type, class: "IN" }],
    answers: [...reply.answers],
    authorities: [...reply.authorities],
    additionals: question.udpPayloadBytes === null ? [] : [optionsRecord()],
  };
}

/** RFC 6891: says that EDNS is spoken, with no options. */
export function optionsRecord(): Answer {
  return {
    type: "OPT",
    name: ".",
    udpPayloadSize: ednsUdpBytesMax,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
}

function tryEncode(packet: Packet): Buffer | undefined {
  try {
    return encode(packet);
  } catch {
    // A record that was decoded in a form which cannot be written again.
    return undefined;
  }
}
