import { Text } from "@mantine/core";
import { Usage } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { formatBytes } from "../parts/format-bytes.ts";
import { formatDuration } from "../parts/format-duration.ts";
import { connection } from "../service/connection.ts";
import { formatPercent } from "./describe-usage.ts";

const pollMilliseconds = 30_000;

/** What all sandboxes use now, in a line; nothing until it was read. */
export function OrgUsage() {
  const { data } = useQuery({
    queryKey: ["usage"],
    queryFn: ({ signal }) => Usage.ofOrg({ ...connection, signal, limit: 1 }),
    refetchInterval: pollMilliseconds,
  });
  if (data === undefined) return null;
  const { current, total } = data;
  const now = [
    formatPercent(current.cpuPercent),
    `${formatBytes(current.memoryBytes)} of memory`,
    `${formatBytes(current.diskBytes)} on disk`,
  ].join(", ");
  return (
    <Text size="sm">
      {`${current.runningCount} running: ${now}. In the last 24 hours: ${formatDuration(total.cpuSeconds)} of CPU time.`}
    </Text>
  );
}
