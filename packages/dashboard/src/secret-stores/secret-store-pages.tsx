import { SecretStore } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { OwnerPage } from "../secrets/owner-page.tsx";
import { OwnersPage } from "../secrets/owners-page.tsx";
import { storeAsOwner } from "../secrets/secret-owner.ts";
import { connection } from "../service/connection.ts";
import { CreateStoreDialog, DeleteStoreDialog, UpdateStoreDialog } from "./store-dialogs.tsx";

export function SecretStoresPage() {
  const query = useQuery({
    queryKey: ["secret-stores"],
    queryFn: () => SecretStore.list(connection),
  });
  return (
    <OwnersPage
      title="Secret stores"
      path="/secret-stores"
      query={query}
      createLabel="Create a secret store"
      createDialog={(close) => <CreateStoreDialog onClose={close} />}
      empty={{
        text: "There are no secret stores. A store has secrets, and the hosts that its sandboxes may reach:",
        command: ["oc", "secret-store", "create", "--name", "my-store"],
      }}
    />
  );
}

export function SecretStorePage({ id }: { id: string }) {
  const query = useQuery({
    queryKey: ["secret-stores", id],
    queryFn: () => SecretStore.get(id, connection),
  });
  const owner = useMemo(() => storeAsOwner(id), [id]);
  return (
    <OwnerPage
      kind="Secret store"
      query={query}
      owner={owner}
      updateDialog={(store, close) => <UpdateStoreDialog store={store} onClose={close} />}
      deleteDialog={(store, close) => <DeleteStoreDialog store={store} onClose={close} />}
      describe={({ egressAllowlist, substituteIn }) => (
        <>
          Its sandboxes may reach {egressAllowlist.join(", ") || "all hosts"}. Tokens become values
          in {substituteIn?.join(", ") ?? "header and body, or what the operator has set"}.
        </>
      )}
    />
  );
}
