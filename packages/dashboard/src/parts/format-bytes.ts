const units = ["B", "KB", "MB", "GB", "TB"];

/** A size in the largest unit of which there is at least one: `0 B`, `1.5 MB`. A KB is 1000 bytes. */
export function formatBytes(bytes: number): string {
  const index = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** index;
  return `${index === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} ${units[index]}`;
}
