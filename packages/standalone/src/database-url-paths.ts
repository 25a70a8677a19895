/** What a `DATABASE_URL` names on this host: directories of sockets, and files of certificates and keys. */
export function databaseUrlPaths(url: string | undefined): {
  directories: string[];
  files: string[];
} {
  if (url === undefined) return { directories: [], files: [] };
  const { hostname, searchParams } = new URL(url);
  const isPath = (text: string | null): text is string => text?.startsWith("/") === true;
  return {
    directories: [decodeURIComponent(hostname), searchParams.get("host")].filter(isPath),
    files: ["sslrootcert", "sslcert", "sslkey"]
      .map((name) => searchParams.get(name))
      .filter(isPath),
  };
}
