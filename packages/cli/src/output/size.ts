const units = ["B", "KB", "MB", "GB", "TB"] as const;

/** A size in bytes for people, in powers of 1024, such as `1.5 GB`. */
export function formatSize(bytes: number): string {
  let size = bytes;
  let unit: (typeof units)[number] = "B";
  for (unit of units) {
    if (size < 1024 || unit === "TB") break;
    size /= 1024;
  }
  return `${size < 10 && unit !== "B" ? size.toFixed(1) : Math.round(size)} ${unit}`;
}
