/** Text that cannot steer the terminal it is shown on: control characters become `?`. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}
