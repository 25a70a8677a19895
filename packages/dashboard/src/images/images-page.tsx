import { Group, Text } from "@mantine/core";
import { type SnapshotRecord, Snapshots } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { Page } from "../parts/page.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";
import { visibleText } from "../parts/visible-text.ts";
import { When } from "../parts/when.tsx";
import { connection } from "../service/connection.ts";
import { CreateImageDialog } from "./create-image-dialog.tsx";

const pollMilliseconds = 5_000;

/** The named images, which sandboxes start from. */
export function ImagesPage() {
  const snapshots = useQuery({
    queryKey: ["snapshots"],
    queryFn: () => new Snapshots(connection).list(),
    refetchInterval: pollMilliseconds,
  });
  return (
    <Page
      title="Images"
      error={snapshots.error}
      actions={
        <DialogButton
          size="sm"
          variant="filled"
          dialog={(close) => <CreateImageDialog onClose={close} />}
        >
          Build an image
        </DialogButton>
      }
    >
      {snapshots.data?.length === 0 ? (
        <EmptyState
          text="There are no images. An image is built from steps on top of the base image, and a snapshot gives it a name:"
          command={["oc", "snapshot", "create", "--name", "tools", "--apt-install", "jq"]}
        />
      ) : (
        <DataTable<SnapshotRecord>
          name="Images"
          rows={snapshots.data ?? []}
          keyOf={({ id }) => id}
          columns={[
            { header: "Name", cell: ({ name }) => name },
            { header: "Status", cell: ({ status }) => <StatusBadge status={status} /> },
            {
              header: "Steps",
              isExtra: true,
              cell: ({ manifest, failure }) => (
                <>
                  {manifest.steps.map(({ type }) => type).join(", ")}
                  {failure === undefined ? null : <Text size="sm">{visibleText(failure)}</Text>}
                </>
              ),
            },
            { header: "Created", isExtra: true, cell: ({ createdAt }) => <When at={createdAt} /> },
            {
              header: "Last used",
              isExtra: true,
              cell: ({ lastUsedAt }) => <When at={lastUsedAt} />,
            },
            { header: "Actions", cell: (snapshot) => <ImageActions snapshot={snapshot} /> },
          ]}
        />
      )}
    </Page>
  );
}

function ImageActions({ snapshot: { name } }: { snapshot: SnapshotRecord }) {
  return (
    <Group gap={4}>
      <DialogButton
        aria-label={`Delete ${name}`}
        dialog={(close) => (
          <ActionDialog
            title={`Delete ${name}`}
            submitLabel="Delete"
            command={["oc", "snapshot", "delete", name]}
            isDanger
            onClose={close}
            onSubmit={() => new Snapshots(connection).delete(name)}
          >
            <Text>Sandboxes that were created from it keep running.</Text>
          </ActionDialog>
        )}
      >
        Delete
      </DialogButton>
    </Group>
  );
}
