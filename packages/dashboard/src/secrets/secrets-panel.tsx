import { Alert, Group, Stack, Text, Title } from "@mantine/core";
import type { SecretEntry } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { type Column, DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { When } from "../parts/when.tsx";
import type { SecretOwner } from "./secret-owner.ts";
import { SetSecretDialog } from "./set-secret-dialog.tsx";

const detailColumns: readonly Column<SecretEntry>[] = [
  {
    header: "Hosts",
    isExtra: true,
    cell: ({ allowedHosts }) => allowedHosts.join(", ") || "all that the sandbox may reach",
  },
  {
    header: "Placements",
    isExtra: true,
    cell: ({ substituteIn }) => substituteIn.join(", "),
  },
  {
    header: "Last used",
    cell: ({ lastUsedAt }) => <When at={lastUsedAt} />,
  },
  {
    header: "Set",
    isExtra: true,
    cell: ({ updatedAt, revokedAt }) =>
      revokedAt === undefined ? (
        <When at={updatedAt} />
      ) : (
        <>
          revoked <When at={revokedAt} />
        </>
      ),
  },
];

/** The secrets of a store or a project. Values go in and never come out. */
export function SecretsPanel({ owner }: { owner: SecretOwner }) {
  const secrets = useQuery({ queryKey: ["secrets", owner.id], queryFn: owner.list });
  const [warning, setWarning] = useState<string>();
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2} size="h4">
          Secrets
        </Title>
        <DialogButton
          dialog={(close) => (
            <SetSecretDialog owner={owner} onWarning={setWarning} onClose={close} />
          )}
        >
          Set a secret
        </DialogButton>
      </Group>
      <ErrorAlert error={secrets.error} />
      {warning === undefined ? null : (
        <Alert role="alert" color="yellow" variant="outline" title="The secret is set">
          {warning}
        </Alert>
      )}
      {secrets.data?.length === 0 ? (
        <EmptyState
          text="There are no secrets. A sandbox gets a sealed token instead of each value; the token becomes the value only on its way to the hosts that you allow:"
          command={["oc", "secret", "set", owner.id, "API_KEY", "--from-stdin"]}
        />
      ) : (
        <DataTable<SecretEntry>
          name="Secrets"
          rows={secrets.data ?? []}
          keyOf={({ name }) => name}
          columns={[
            { header: "Name", cell: ({ name }) => name },
            ...detailColumns,
            {
              header: "Actions",
              cell: (secret) => <SecretActions {...{ owner, secret }} onWarning={setWarning} />,
            },
          ]}
        />
      )}
    </Stack>
  );
}

function SecretActions({
  owner,
  secret,
  onWarning,
}: {
  owner: SecretOwner;
  secret: SecretEntry;
  onWarning: (warning: string | undefined) => void;
}) {
  const { name } = secret;
  return (
    <Group gap={4}>
      <DialogButton
        aria-label={`Set ${name} again`}
        dialog={(close) => <SetSecretDialog {...{ owner, secret, onWarning }} onClose={close} />}
      >
        Set again
      </DialogButton>
      <DialogButton
        aria-label={`Revoke ${name}`}
        dialog={(close) => (
          <ActionDialog
            title={`Revoke ${name}`}
            submitLabel="Revoke"
            command={["oc", "secret", "revoke", owner.id, name]}
            isDanger
            onClose={close}
            onSubmit={() => owner.revoke(name)}
          >
            <Text>
              Its value is removed at once from running and hibernated sandboxes and checkpoints.
              Its tokens have no effect until the secret is set again.
            </Text>
          </ActionDialog>
        )}
      >
        Revoke
      </DialogButton>
      <DialogButton
        aria-label={`Delete ${name}`}
        dialog={(close) => (
          <ActionDialog
            title={`Delete ${name}`}
            submitLabel="Delete"
            command={["oc", "secret", "delete", owner.id, name]}
            isDanger
            onClose={close}
            onSubmit={() => owner.remove(name)}
          >
            <Text>
              New sandboxes do not get it. Those that have it keep it: revoke it to end that.
            </Text>
          </ActionDialog>
        )}
      >
        Delete
      </DialogButton>
    </Group>
  );
}
