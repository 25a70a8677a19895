/** Names of objects that clients and servers write in different ways into URLs and signatures. */
export const oddKeys: readonly string[] = [
  "a space",
  "a+plus",
  "ä/☃ 𝕊",
  "a//b",
  "%20 is no space",
  "what?list-type=2&x=y#fragment",
  "~!$'()*,;:@=_-.",
  '[{"<>|\\^`}]',
];

/** The name that the server of the tests gives an object of a name: it has one kind of slash, and no two in a row. */
export function nameInServer(key: string): string {
  return key.replace(/[/\\]+/g, "/");
}
