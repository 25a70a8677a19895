/** Time since an instant in its largest whole unit: `42s`, `5m`, `3h`, `2d`. */
export function formatAge(since: string, nowMilliseconds: number): string {
  const seconds = Math.max(0, Math.floor((nowMilliseconds - Date.parse(since)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
