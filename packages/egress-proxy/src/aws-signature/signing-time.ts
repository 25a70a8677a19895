import { AwsSignatureError } from "./aws-signature-error.ts";

const timePattern = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;
/** As AWS has it. */
const skewSecondsMax = 15 * 60;
const expirySecondsMax = 7 * 24 * 3600;

/** A time in the basic format of ISO 8601, from `x-amz-date` or from an HTTP date. */
export function signingTime(text: string): string | undefined {
  if (timePattern.test(text)) return text;
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) return undefined;
  return new Date(milliseconds).toISOString().replace(/[-:]|\.\d+/g, "");
}

/**
 * Asserts that a signature is made for now. Signatures for a later time would let
 * a guest, with the help of an allowed host, collect requests that can be sent
 * when its secret is revoked.
 *
 * @throws {AwsSignatureError}
 */
export function assertCurrent(
  time: string,
  expiresSeconds: number | undefined,
  nowMilliseconds: number,
): void {
  const aheadSeconds = (secondsOf(time) * 1000 - nowMilliseconds) / 1000;
  if (expiresSeconds !== undefined && expiresSeconds > expirySecondsMax) {
    throw new AwsSignatureError(
      `X-Amz-Expires is ${expiresSeconds}, expected at most ${expirySecondsMax}`,
    );
  }
  const validSeconds = expiresSeconds ?? skewSecondsMax;
  if (aheadSeconds <= skewSecondsMax && -aheadSeconds <= validSeconds) return;
  const now = new Date(nowMilliseconds).toISOString();
  throw new AwsSignatureError(
    expiresSeconds === undefined
      ? `The request was signed at ${time}, which is more than 15 minutes from the present time ${now}: check the clock of the sandbox`
      : `The presigned URL was created at ${time} for ${expiresSeconds} seconds, and now is ${now}: create a new one`,
  );
}

function secondsOf(time: string): number {
  const [, year, month, day, hour, minute, second] = timePattern.exec(time) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000;
}
