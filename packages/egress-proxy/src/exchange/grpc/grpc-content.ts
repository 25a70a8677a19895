import { type Field, fieldValues } from "../../http/fields.ts";

/** gRPC over HTTP/2, or gRPC-Web in binary form. The text form of gRPC-Web is base64, without frames. */
const framedTypes = /^application\/grpc(-web)?(?:\+[\w.-]+)?[ \t]*(?:;|$)/i;

/** How the messages of a body with these fields are framed; undefined for any other body. */
export function grpcFraming(fields: readonly Field[]): "grpc" | "grpc-web" | undefined {
  const [contentType = ""] = fieldValues(fields, "content-type");
  const match = framedTypes.exec(contentType);
  if (match === null) return undefined;
  return match[1] === undefined ? "grpc" : "grpc-web";
}
