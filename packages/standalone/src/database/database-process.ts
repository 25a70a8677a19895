import { join } from "node:path";
import type { ClusterFiles } from "./cluster-files.ts";
import type { PreparedCluster } from "./prepare-cluster.ts";
import { serverSettings } from "./server-settings.ts";

/** PostgreSQL's default, part of the name of its socket. */
const port = 5432;

/** The command of the server, in the foreground. If the supervisor is killed, it ends with its last client. */
export function databaseCommand(
  cluster: PreparedCluster,
  { files, socketDirectory }: { files: ClusterFiles; socketDirectory: string },
): string[] {
  return [
    ...["setpriv", "--pdeathsig", "TERM"],
    ...[join(cluster.postgres.binaryDirectory, "postgres"), "-D", cluster.directory],
    ...["-p", String(port)],
    ...["-c", `config_file=${files.configuration}`],
    ...["-c", `hba_file=${files.access}`, "-c", `ident_file=${files.identities}`],
    ...Object.entries(serverSettings(socketDirectory)).flatMap(([name, value]) => [
      ...["-c", `${name}=${value}`],
    ]),
  ];
}

/** What a person should see of a line of PostgreSQL's log; null for routine ones. */
export function noteworthyOfDatabase(line: string): string | null {
  const message = /\b(?:FATAL|PANIC):\s+(.+)$/.exec(line)?.[1];
  if (message === undefined || routinePattern.test(message)) return null;
  return message;
}

/** What clients get while the server starts or stops. */
const routinePattern =
  /^(?:the database system is (?:starting up|shutting down|not yet accepting connections|in recovery mode)|terminating connection due to administrator command)/;
