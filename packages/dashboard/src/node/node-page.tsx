import { Text } from "@mantine/core";
import { type Health, healthSchema } from "@opencomputer/protocol/api";
import { useQuery } from "@tanstack/react-query";
import { type Column, DataTable } from "../parts/data-table.tsx";
import { Page } from "../parts/page.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";
import { When } from "../parts/when.tsx";
import { callService } from "../service/call-service.ts";
import { describeHealth } from "./describe-health.ts";

type ProcessState = Health["processes"][number];

const pollMilliseconds = 5_000;

const columns: readonly Column<ProcessState>[] = [
  { header: "Process", cell: ({ name }) => name },
  { header: "State", cell: ({ state }) => <StatusBadge status={state} /> },
  { header: "Since", isExtra: true, cell: ({ since }) => <When at={since} /> },
  { header: "Restarts", cell: ({ restarts }) => restarts },
  { header: "Last exit", isExtra: true, cell: ({ lastExit }) => lastExit ?? "none" },
];

/** The machine that sandboxes run on: whether it can create some, and the processes of the service. */
export function NodePage() {
  const health = useQuery({
    queryKey: ["health"],
    queryFn: () => callService({ method: "GET", path: "/api/health" }, healthSchema),
    refetchInterval: pollMilliseconds,
  });
  const { data } = health;
  return (
    <Page
      title="Node"
      error={health.error}
      actions={
        data === undefined ? null : <StatusBadge status={data.ready ? "ready" : "starting"} />
      }
    >
      {data === undefined ? null : (
        <>
          {describeHealth(data).map((text) => (
            <Text key={text} size="sm">
              {text}
            </Text>
          ))}
          <DataTable
            name="Processes"
            rows={data.processes}
            keyOf={({ name }) => name}
            columns={columns}
          />
        </>
      )}
    </Page>
  );
}
