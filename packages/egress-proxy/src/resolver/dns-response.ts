import { type Answer, encode, type Packet } from "dns-packet";
import { type DnsQuestion, responseCodes } from "./dns-question.ts";

/** What the resolver responds to a question. */
export interface DnsResponse {
  readonly responseCode: number;
  readonly answers: readonly Answer[];
  /** The SOA record by which an empty response can be cached (RFC 2308). */
  readonly authorities: readonly Answer[];
}

export type Transport = "udp" | "tcp";

const recursionDesiredFlag = 0x0100;
const recursionAvailableFlag = 0x0080;
const truncatedFlag = 0x0200;
/** RFC 1035, section 4.2.1: without EDNS a response over UDP has at most this many bytes. */
const plainUdpBytesMax = 512;
/** The largest message that passes every path unfragmented; also advertised in responses with EDNS. */
const ednsUdpBytesMax = 1232;
const tcpBytesMax = 65_535;

export function emptyResponse(responseCode: number = responseCodes.noError): DnsResponse {
  return { responseCode, answers: [], authorities: [] };
}

/** A response that gives a name one IPv4 address, for `ttlSeconds`. */
export function addressResponse(name: string, address: string, ttlSeconds: number): DnsResponse {
  return {
    responseCode: responseCodes.noError,
    answers: [{ type: "A", class: "IN", name, ttl: ttlSeconds, data: address }],
    authorities: [],
  };
}

/**
 * Encodes a response as a message. One that is too long for the transport is
 * emptied and marked truncated, so that the guest asks again over TCP; one
 * that cannot be encoded becomes a server failure.
 */
export function encodeResponse(
  question: DnsQuestion,
  response: DnsResponse,
  transport: Transport,
): Buffer {
  const bytesMax = responseBytesMax(question, transport);
  const whole = tryEncode(packetFor(question, response, 0));
  if (whole === undefined) {
    return encode(packetFor(question, emptyResponse(responseCodes.serverFailure), 0));
  }
  if (whole.length <= bytesMax) return whole;
  return encode(packetFor(question, emptyResponse(response.responseCode), truncatedFlag));
}

/** Encodes a message with an error code and no question. */
export function encodeError(id: number, responseCode: number): Buffer {
  return encode({ type: "response", id, flags: recursionAvailableFlag | responseCode });
}

function responseBytesMax(question: DnsQuestion, transport: Transport): number {
  if (transport === "tcp") return tcpBytesMax;
  if (question.udpPayloadBytes === null) return plainUdpBytesMax;
  return Math.min(Math.max(question.udpPayloadBytes, plainUdpBytesMax), ednsUdpBytesMax);
}

function packetFor(question: DnsQuestion, response: DnsResponse, extraFlags: number): Packet {
  const desired = question.recursionDesired ? recursionDesiredFlag : 0;
  return {
    type: "response",
    id: question.id,
    flags: desired | recursionAvailableFlag | extraFlags | (response.responseCode & 0xf),
    questions: [{ name: question.name, type: question.type, class: "IN" }],
    answers: [...response.answers],
    authorities: [...response.authorities],
    additionals: question.udpPayloadBytes === null ? [] : [optionsRecord()],
  };
}

/** The record that announces EDNS, without options (RFC 6891). */
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
    // Some records decode to a form that cannot be encoded again.
    return undefined;
  }
}
