/** Returns names and values as the lines of a head, to be searched for values of secrets. */
export function headText(raw: readonly string[]): Buffer {
  let text = "";
  for (let at = 0; at + 1 < raw.length; at += 2) text += `${raw[at]}: ${raw[at + 1]}\r\n`;
  return Buffer.from(text, "latin1");
}

/** Returns how long that text is. */
export function headBytes(raw: readonly string[]): number {
  let bytes = 0;
  for (const text of raw) bytes += text.length + 2;
  return bytes;
}
