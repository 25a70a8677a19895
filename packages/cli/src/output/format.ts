/** Time since an instant in its largest whole unit: `42s`, `5m`, `3h`, `2d`. */
export function formatAge(since: string, nowMilliseconds: number): string {
  const seconds = Math.max(0, Math.floor((nowMilliseconds - Date.parse(since)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

const units = ["B", "KB", "MB", "GB", "TB"] as const;

/** A number of bytes as text, in units of powers of 1024, such as `1.5 GB`. */
export function formatSize(bytes: number): string {
  let size = bytes;
  let unit: (typeof units)[number] = "B";
  for (unit of units) {
    if (size < 1024 || unit === "TB") break;
    size /= 1024;
  }
  return `${size < 10 && unit !== "B" ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/**
 * What controls a terminal, or shows a text as another one: control characters, line and
 * paragraph separators, and formatting characters such as those that reverse a text or are
 * invisible. Those that join letters and emojis stay.
 */
const unprintable = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** As {@link unprintable}, but for the ends of lines. */
const unprintableInJson = /(?![\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** As {@link unprintableInJson}, but for tabs. */
const unprintableInLines = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text of one line in which each unprintable character became `?`, so that it cannot control a terminal. */
export function printable(text: string): string {
  return text.replace(unprintable, "?");
}

/** As {@link printable}, for text of several lines: tabs and the ends of lines stay. */
export function printableLines(text: string): string {
  return text.replace(unprintableInLines, "?");
}

/** A value as JSON without unprintable characters: those that JSON permits in a string are escaped, too. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(unprintableInJson, escapeInJson);
}

function escapeInJson(character: string): string {
  const units = character.split("").map((unit) => unit.charCodeAt(0).toString(16).padStart(4, "0"));
  return units.map((unit) => `\\u${unit}`).join("");
}
