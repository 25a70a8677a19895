/** Ways in which a value may be written in a response; each is searched. */
export const encodingNames = ["plain", "base64", "hex", "percent", "json"] as const;
export type EncodingName = (typeof encodingNames)[number];

export const encodings: Record<EncodingName, (bytes: Buffer) => string> = {
  plain: (bytes) => bytes.toString("latin1"),
  base64: (bytes) => bytes.toString("base64"),
  hex: (bytes) => bytes.toString("hex"),
  percent: (bytes) => bytes.toString("hex").replace(/../g, "%$&"),
  json: (bytes) => bytes.toString("hex").replace(/../g, "\\u00$&"),
};
