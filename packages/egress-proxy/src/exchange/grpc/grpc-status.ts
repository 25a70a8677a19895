import { type Field, fieldOf } from "../../http/fields.ts";

/** What gRPC makes of an HTTP status. */
const statuses: Readonly<Record<number, number>> = {
  400: 13,
  403: 7,
  502: 14,
  503: 14,
  504: 14,
};
const unknown = 2;

/** Returns the fields that report a refusal to a gRPC client, which shows no bodies. */
export function grpcStatusFields(refusal: {
  readonly status: number;
  readonly message: string;
}): readonly Field[] {
  return [
    fieldOf("grpc-status", String(statuses[refusal.status] ?? unknown)),
    fieldOf("grpc-message", encodedMessage(refusal.message)),
  ];
}

/** All but printable ASCII is percent-encoded, and so is the percent sign. */
function encodedMessage(message: string): string {
  return [...Buffer.from(message, "utf8")]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}
