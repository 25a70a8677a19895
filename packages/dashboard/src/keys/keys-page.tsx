import { Modal, Stack, Text, TextInput } from "@mantine/core";
import { ApiKey, type ApiKeyEntry } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { Page } from "../parts/page.tsx";
import { When } from "../parts/when.tsx";
import { connection } from "../service/connection.ts";

/** The API keys of the org, without their values. New ones are made by `oc` alone: no browser gets a key. */
export function KeysPage() {
  const keys = useQuery({ queryKey: ["keys"], queryFn: () => ApiKey.list(connection) });
  return (
    <Page
      title="API keys"
      error={keys.error}
      actions={
        <DialogButton
          size="sm"
          variant="filled"
          dialog={(close) => <CreateKeyDialog onClose={close} />}
        >
          Create a key
        </DialogButton>
      }
    >
      <DataTable<ApiKeyEntry>
        name="API keys"
        rows={keys.data ?? []}
        keyOf={({ id }) => id}
        columns={[
          { header: "Name", cell: ({ name }) => name },
          { header: "Key", cell: ({ prefix }) => (prefix === "" ? "" : `${prefix}…`) },
          { header: "Created", isExtra: true, cell: ({ createdAt }) => <When at={createdAt} /> },
          {
            header: "Last used",
            isExtra: true,
            cell: ({ lastUsedAt }) => <When at={lastUsedAt} />,
          },
          { header: "Actions", cell: (key) => <RevokeButton entry={key} /> },
        ]}
      />
    </Page>
  );
}

function RevokeButton({ entry: { id, name } }: { entry: ApiKeyEntry }) {
  return (
    <DialogButton
      aria-label={`Revoke ${name}`}
      dialog={(close) => (
        <ActionDialog
          title={`Revoke ${name}`}
          submitLabel="Revoke"
          command={["oc", "key", "revoke", id]}
          isDanger
          onClose={close}
          onSubmit={() => ApiKey.revoke(id, connection)}
        >
          <Text>
            Requests with it are refused at once, and sessions of this dashboard that were opened
            with it end.
          </Text>
        </ActionDialog>
      )}
    >
      Revoke
    </DialogButton>
  );
}

function CreateKeyDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  return (
    <Modal
      opened
      onClose={onClose}
      title="Create a key"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack>
        <Text>
          A key is printed only once, when it is created. This dashboard never shows one: create it
          on the command line, and store it safely.
        </Text>
        <TextInput
          label="Name"
          description="To recognize it in this list"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <OcCommand words={["oc", "key", "create", "--name", name || "NAME"]} />
      </Stack>
    </Modal>
  );
}
