import { Anchor } from "@mantine/core";
import { SecretStore, type SecretStoreRecord } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { Page } from "../parts/page.tsx";
import { When } from "../parts/when.tsx";
import { connection } from "../service/connection.ts";
import { CreateStoreDialog } from "./store-dialogs.tsx";

export function SecretStoresPage() {
  const stores = useQuery({
    queryKey: ["secret-stores"],
    queryFn: () => SecretStore.list(connection),
  });
  return (
    <Page
      title="Secret stores"
      error={stores.error}
      actions={
        <DialogButton
          size="sm"
          variant="filled"
          dialog={(close) => <CreateStoreDialog onClose={close} />}
        >
          Create a secret store
        </DialogButton>
      }
    >
      {stores.data?.length === 0 ? (
        <EmptyState
          text="There are no secret stores. One has secrets, and the hosts that its sandboxes may reach:"
          command={["oc", "secret-store", "create", "--name", "my-store"]}
        />
      ) : (
        <DataTable<SecretStoreRecord>
          name="Secret stores"
          rows={stores.data ?? []}
          keyOf={({ id }) => id}
          columns={[
            {
              header: "Name",
              cell: ({ id, name }) => (
                <Anchor component={Link} href={`/secret-stores/${id}`} underline="always">
                  {name}
                </Anchor>
              ),
            },
            {
              header: "Egress allowlist",
              cell: ({ egressAllowlist }) => egressAllowlist.join(", ") || "all hosts",
            },
            { header: "Changed", isExtra: true, cell: ({ updatedAt }) => <When at={updatedAt} /> },
          ]}
        />
      )}
    </Page>
  );
}
