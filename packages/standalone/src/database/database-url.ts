import { databaseName } from "./cluster-files.ts";

/** The private cluster as a `DATABASE_URL`. */
export function databaseUrlOf(socketDirectory: string): string {
  const query = new URLSearchParams({ host: socketDirectory, user: databaseName });
  return `postgresql:///${databaseName}?${query}`;
}
