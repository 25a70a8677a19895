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

/** Text without control characters, each of which becomes `?`, so that it cannot control a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

/** As {@link printable}, for text of several lines: tabs and the ends of lines stay. */
export function printableLines(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, "?");
}
