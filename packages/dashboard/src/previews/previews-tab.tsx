import { Anchor, Button, Group, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { type PreviewRecord, Sandbox, type SandboxDetail } from "@opencomputer/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { connection } from "../service/connection.ts";

const connect = (sandboxId: string) => Sandbox.connect(sandboxId, connection);

/** The ports of a sandbox that can be reached by URL. */
export function PreviewsTab({ sandbox }: { sandbox: SandboxDetail }) {
  const { sandboxID } = sandbox;
  const previews = useQuery({
    queryKey: ["sandboxes", sandboxID, "previews"],
    queryFn: async () => (await connect(sandboxID)).listPreviewURLs(),
    enabled: sandbox.status !== "stopped",
  });
  const opening = useMutation({
    mutationFn: async (port: number) => {
      const { url } = await (await connect(sandboxID)).createPreviewLink(port);
      // The page in it is of whoever wrote the sandbox's server: it gets no hold of this one.
      globalThis.open(url, "_blank", "noopener,noreferrer");
    },
  });
  return (
    <Stack>
      <div>
        <DialogButton dialog={(close) => <CreateDialog sandboxId={sandboxID} onClose={close} />}>
          Create a preview
        </DialogButton>
      </div>
      <ErrorAlert error={previews.error ?? opening.error} />
      {previews.data === undefined || previews.data.length > 0 ? (
        <DataTable<PreviewRecord>
          name="Previews"
          rows={previews.data ?? []}
          keyOf={({ id }) => id}
          columns={[
            { header: "Port", cell: ({ port }) => port },
            {
              header: "URL",
              cell: ({ url }) => (
                <Anchor href={url} target="_blank" rel="noopener noreferrer" underline="always">
                  {url}
                </Anchor>
              ),
            },
            {
              header: "Actions",
              cell: ({ port }) => (
                <Group gap={4}>
                  <Button
                    size="compact-sm"
                    variant="default"
                    aria-label={`Open port ${port}`}
                    onClick={() => opening.mutate(port)}
                  >
                    Open
                  </Button>
                  <DialogButton
                    aria-label={`Delete the preview of port ${port}`}
                    dialog={(close) => (
                      <ActionDialog
                        title={`Delete the preview of port ${port}`}
                        submitLabel="Delete"
                        command={["oc", "preview", "delete", sandboxID, String(port)]}
                        isDanger
                        onClose={close}
                        onSubmit={async () => (await connect(sandboxID)).deletePreviewURL(port)}
                      >
                        <Text>Its URL stops working.</Text>
                      </ActionDialog>
                    )}
                  >
                    Delete
                  </DialogButton>
                </Group>
              ),
            },
          ]}
        />
      ) : (
        <EmptyState
          text="There are no previews. Start a server in the sandbox, and create a preview of its port:"
          command={["oc", "preview", "create", sandboxID, "--port", "3000"]}
        />
      )}
    </Stack>
  );
}

function CreateDialog({ sandboxId, onClose }: { sandboxId: string; onClose: () => void }) {
  const [port, setPort] = useState("3000");
  const [domain, setDomain] = useState("");
  return (
    <ActionDialog
      title="Create a preview"
      submitLabel="Create"
      command={[
        ...["oc", "preview", "create", sandboxId, "--port", port],
        ...(domain === "" ? [] : ["--domain", domain]),
      ]}
      onClose={onClose}
      onSubmit={async () =>
        (await connect(sandboxId)).createPreviewURL({
          port: Number(port),
          domain: domain || undefined,
        })
      }
    >
      <NumberInput
        label="Port"
        description="The port on which a server in the sandbox listens"
        required
        allowDecimal={false}
        min={1}
        max={65_535}
        value={port}
        onChange={(value) => setPort(String(value))}
      />
      <TextInput
        label="Domain"
        description="Optional: a host name of your own that resolves to this service"
        value={domain}
        onChange={(event) => setDomain(event.currentTarget.value)}
      />
    </ActionDialog>
  );
}
