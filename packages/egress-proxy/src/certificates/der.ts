/** Tags of ASN.1 (X.690) that a certificate has. */
export const derTags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
  /** `[2]` of a general name: a DNS name. */
  dnsName: 0x82,
  /** `[0]` and `[3]` of a certificate: its version and extensions. */
  version: 0xa0,
  extensions: 0xa3,
} as const;

const shortLengthMax = 127;

/** Encodes one element in DER: its tag, the length of its contents, and these. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of contents) length += part.length;
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(length)]), ...contents]);
}

function lengthBytes(length: number): number[] {
  if (length <= shortLengthMax) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

/** Encodes a time, in the form that RFC 5280, section 4.1.2.5 requires for its year. */
export function derTime(time: Date): Buffer {
  const digits = time.toISOString().replace(/\.\d+Z$|[-:T]/g, "");
  return time.getUTCFullYear() < 2050
    ? der(derTags.utcTime, Buffer.from(`${digits.slice(2)}Z`, "latin1"))
    : der(derTags.generalizedTime, Buffer.from(`${digits}Z`, "latin1"));
}
