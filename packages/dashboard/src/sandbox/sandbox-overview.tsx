import { Alert, Anchor, Group, Stack, Table, Title } from "@mantine/core";
import { Sandbox, type SandboxDetail } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { visibleText } from "../parts/visible-text.ts";
import { When } from "../parts/when.tsx";
import { Labels } from "../sandboxes/labels.tsx";
import { connection } from "../service/connection.ts";
import { UsagePanel } from "../usage/usage-panel.tsx";
import { TagsDialog } from "./tags-dialog.tsx";

/** What a sandbox is, what it may reach, and what went wrong in it. */
export function SandboxOverview({ sandbox }: { sandbox: SandboxDetail }) {
  const { sandboxID } = sandbox;
  const allowed = useQuery({
    queryKey: ["sandboxes", sandboxID, "allowed-hosts"],
    queryFn: async () => (await Sandbox.connect(sandboxID, connection)).allowedHosts(),
    enabled: sandbox.status !== "stopped",
  });
  const hosts = allowed.data?.egressAllowlist ?? [];
  const rows: [string, ReactNode][] = [
    ["Size", `${sandbox.cpuCount} CPU, ${sandbox.memoryMB} MB of memory`],
    ["Template", sandbox.template],
    ["Project", sandbox.project ?? "none"],
    ["Secret store", storesOf(sandbox)],
    ["Started", <When key="started" at={sandbox.startedAt} />],
    ["Hibernates when idle", <When key="end" at={sandbox.endAt} />],
    ["Kept awake by", sandbox.idle === "cpu" ? "requests and CPU use" : "requests"],
    ["May reach", allowed.data === undefined ? "…" : hosts.join(", ") || "all hosts"],
    ["Metadata", <Labels key="metadata" entries={sandbox.metadata} />],
    ["Tags", <Labels key="tags" entries={sandbox.tags} />],
  ];
  return (
    <Stack>
      {[sandbox.patchError, sandbox.hookError, sandbox.memoryLost].map((text) =>
        text === undefined ? null : (
          <Alert
            key={text}
            color="yellow"
            variant="outline"
            title="Something went wrong in this sandbox"
          >
            {visibleText(text)}
          </Alert>
        ),
      )}
      <ErrorAlert error={allowed.error} />
      <Table aria-label="Properties" variant="vertical">
        <Table.Tbody>
          {rows.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th scope="row" w={160}>
                {name}
              </Table.Th>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Group>
        <DialogButton dialog={(close) => <TagsDialog sandbox={sandbox} onClose={close} />}>
          Edit tags
        </DialogButton>
        <Anchor component={Link} href={`/events/${sandboxID}`} underline="always" fz="sm">
          Its events
        </Anchor>
      </Group>
      <UsagePanel sandboxId={sandboxID} />
      <Title order={2} size="h4">
        On the command line
      </Title>
      <OcCommand words={["oc", "get", sandboxID]} />
      <OcCommand words={["oc", "exec", sandboxID, "--", "uname -a"]} />
      <OcCommand words={["oc", "shell", sandboxID]} />
    </Stack>
  );
}

function storesOf({ secretStore, baseSecretStore }: SandboxDetail): string {
  if (secretStore === undefined) return baseSecretStore ?? "none";
  return baseSecretStore === undefined
    ? secretStore
    : `${secretStore}, layered over ${baseSecretStore}`;
}
