import { Stack, Table, Text, Title } from "@mantine/core";
import { Usage } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { connection } from "../service/connection.ts";
import { describeUsage } from "./describe-usage.ts";

const pollMilliseconds = 10_000;

/** What a sandbox uses now, and used in the last day; also of one that was killed. */
export function UsagePanel({ sandboxId }: { sandboxId: string }) {
  const { data, error } = useQuery({
    queryKey: ["sandboxes", sandboxId, "usage"],
    queryFn: ({ signal }) => Usage.ofSandbox(sandboxId, { ...connection, signal }),
    refetchInterval: pollMilliseconds,
  });
  return (
    <Stack gap="xs">
      <Title order={2} size="h4">
        Usage
      </Title>
      <ErrorAlert error={error} />
      {data === undefined ? null : (
        <Table aria-label="Usage" variant="vertical">
          <Table.Tbody>
            {describeUsage(data).map(([name, text]) => (
              <Table.Tr key={name}>
                <Table.Th scope="row" w={160}>
                  {name}
                </Table.Th>
                <Table.Td>{text}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <Text size="sm">
        Totals are of the last 24 hours. For a line for each hour, use the command line:
      </Text>
      <OcCommand words={["oc", "usage", sandboxId]} />
    </Stack>
  );
}
