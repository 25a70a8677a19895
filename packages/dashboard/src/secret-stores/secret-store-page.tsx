import { Text } from "@mantine/core";
import { SecretStore } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { DialogButton } from "../parts/dialog-button.tsx";
import { Page } from "../parts/page.tsx";
import { storeAsOwner } from "../secrets/secret-owner.ts";
import { SecretsPanel } from "../secrets/secrets-panel.tsx";
import { connection } from "../service/connection.ts";
import { DeleteStoreDialog, UpdateStoreDialog } from "./store-dialogs.tsx";

export function SecretStorePage({ id }: { id: string }) {
  const query = useQuery({
    queryKey: ["secret-stores", id],
    queryFn: () => SecretStore.get(id, connection),
  });
  const owner = useMemo(() => storeAsOwner(id), [id]);
  const store = query.data;
  return (
    <Page
      title={store === undefined ? "Secret store" : `Secret store ${store.name}`}
      error={query.error}
      actions={
        store === undefined ? null : (
          <>
            <DialogButton dialog={(close) => <UpdateStoreDialog store={store} onClose={close} />}>
              Change
            </DialogButton>
            <DialogButton dialog={(close) => <DeleteStoreDialog store={store} onClose={close} />}>
              Delete
            </DialogButton>
          </>
        )
      }
    >
      {store === undefined ? null : (
        <>
          <Text style={{ overflowWrap: "anywhere" }}>
            Its sandboxes may reach {store.egressAllowlist.join(", ") || "all hosts"}. Tokens become
            values in{" "}
            {store.substituteIn?.join(", ") ?? "header and body, or what the operator has set"}.
          </Text>
          <SecretsPanel owner={owner} />
        </>
      )}
    </Page>
  );
}
