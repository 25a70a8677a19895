import { Checkbox, Group, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { type EgressEntry, EgressLog, type SandboxDetail } from "@opencomputer/sdk";
import { useMemo, useState } from "react";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { connection } from "../service/connection.ts";
import { type FollowedLog, followedRowsMax, useFollowed } from "../service/use-followed.ts";
import { egressColumns } from "./egress-columns.tsx";
import { ExplainDialog } from "./explain-dialog.tsx";
import { SuggestionDialog } from "./suggestion-dialog.tsx";

const typingMilliseconds = 400;

/** What a sandbox exchanged with the network, as exchanges end; also of one that was killed. */
export function EgressTab({ sandbox }: { sandbox: SandboxDetail }) {
  const { sandboxID } = sandbox;
  const [isRefusedOnly, setRefusedOnly] = useState(false);
  const [typedHost, setTypedHost] = useState("");
  const [host] = useDebouncedValue(typedHost.trim(), typingMilliseconds);
  const log = useMemo(
    () => followedLog(sandboxID, { refused: isRefusedOnly, host: host || undefined }),
    [sandboxID, isRefusedOnly, host],
  );
  const { rows, error } = useFollowed(log);
  return (
    <Stack>
      <Group>
        <DialogButton dialog={(close) => <ExplainDialog sandboxId={sandboxID} onClose={close} />}>
          Explain a URL
        </DialogButton>
        <DialogButton dialog={(close) => <SuggestionDialog sandbox={sandbox} onClose={close} />}>
          Suggest an allowlist
        </DialogButton>
      </Group>
      <Group align="flex-end">
        <TextInput
          type="search"
          label="Host"
          description="A host, or *.example.com for the hosts below it"
          value={typedHost}
          onChange={(event) => setTypedHost(event.currentTarget.value)}
        />
        <Checkbox
          label="Refused only"
          pb={8}
          checked={isRefusedOnly}
          onChange={(event) => setRefusedOnly(event.currentTarget.checked)}
        />
      </Group>
      <ErrorAlert error={error} />
      {rows?.length === 0 ? (
        <NoEntries sandbox={sandbox} isFiltered={isRefusedOnly || host !== ""} />
      ) : (
        <>
          <Text size="sm">
            {rows === undefined
              ? "Loading"
              : `Live: the ${followedRowsMax} newest exchanges, newest first.`}
          </Text>
          <DataTable<EgressEntry>
            name="Egress log"
            rows={rows ?? []}
            keyOf={({ id }) => id}
            columns={egressColumns}
          />
        </>
      )}
      <Text size="sm">The same on the command line:</Text>
      <OcCommand
        words={[
          ...["oc", "egress", sandboxID, "--follow"],
          ...(isRefusedOnly ? ["--refused"] : []),
          ...(host === "" ? [] : ["--host", host]),
        ]}
      />
    </Stack>
  );
}

function followedLog(
  sandboxId: string,
  filter: { refused: boolean; host: string | undefined },
): FollowedLog<EgressEntry> {
  const egress = new EgressLog(sandboxId, connection);
  return {
    newest: async (limit, signal) => {
      const page = await egress.list({ ...filter, order: "desc", limit, signal });
      return { rows: page.entries, cursor: page.cursor };
    },
    follow: (cursor, signal) => egress.follow({ ...filter, cursor, signal }),
  };
}

function NoEntries({ sandbox, isFiltered }: { sandbox: SandboxDetail; isFiltered: boolean }) {
  const { sandboxID, status, secretStore, baseSecretStore, project } = sandbox;
  if (isFiltered) return <EmptyState text="There are no such exchanges in the log." />;
  if (status === "stopped") {
    return (
      <EmptyState text="The sandbox was killed. Its egress log is empty, or was deleted because of its age." />
    );
  }
  if ((secretStore ?? baseSecretStore ?? project) === undefined) {
    return (
      <EmptyState
        text="There are no exchanges, and there will be none: a sandbox without secrets and without an allowlist is not intercepted. Create one with a secret store to see what it sends:"
        command={["oc", "create", "--secret-store", "NAME"]}
      />
    );
  }
  return (
    <EmptyState
      text="There are no exchanges yet. Each request of the sandbox is shown here when it ends. Send the first one:"
      command={["oc", "exec", sandboxID, "--", "curl -sS https://example.com"]}
    />
  );
}
