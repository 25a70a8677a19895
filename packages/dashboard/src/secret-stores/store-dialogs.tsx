import { Textarea } from "@mantine/core";
import { SecretStore, type SecretStoreRecord } from "@opencomputer/sdk";
import { useState } from "react";
import { useLocation } from "wouter";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { DeleteOwnerDialog } from "../secrets/delete-owner-dialog.tsx";
import { AllowlistField, NameField } from "../secrets/owner-fields.tsx";
import { connection } from "../service/connection.ts";
import {
  createStoreCommand,
  type StoreForm,
  storeFields,
  storeForm,
  updateStoreCommand,
} from "./store-form.ts";

export function CreateStoreDialog({ onClose }: { onClose: () => void }) {
  const [form, setForm] = useState(storeForm());
  const [, navigate] = useLocation();
  return (
    <ActionDialog
      title="Create a secret store"
      submitLabel="Create"
      command={createStoreCommand(form)}
      onClose={onClose}
      onSubmit={async () => {
        const { egressAllowlist, substituteIn } = storeFields(form);
        const store = await SecretStore.create({
          ...{ ...connection, name: form.name, egressAllowlist },
          substituteIn: substituteIn.length === 0 ? undefined : substituteIn,
        });
        navigate(`/secret-stores/${store.id}`);
      }}
    >
      <StoreFields form={form} onChange={setForm} />
    </ActionDialog>
  );
}

export function UpdateStoreDialog({
  store,
  onClose,
}: {
  store: SecretStoreRecord;
  onClose: () => void;
}) {
  const [form, setForm] = useState(storeForm(store));
  return (
    <ActionDialog
      title={`Change ${store.name}`}
      submitLabel="Save"
      command={updateStoreCommand(store.id, form)}
      onClose={onClose}
      onSubmit={() =>
        SecretStore.update(store.id, { ...connection, name: form.name, ...storeFields(form) })
      }
    >
      <StoreFields form={form} onChange={setForm} />
    </ActionDialog>
  );
}

export function DeleteStoreDialog({
  store,
  onClose,
}: {
  store: SecretStoreRecord;
  onClose: () => void;
}) {
  return (
    <DeleteOwnerDialog
      name={store.name}
      command={["oc", "secret-store", "delete", store.id]}
      listPath="/secret-stores"
      remove={() => SecretStore.delete(store.id, connection)}
      onClose={onClose}
    />
  );
}

function StoreFields({ form, onChange }: { form: StoreForm; onChange: (form: StoreForm) => void }) {
  return (
    <>
      <NameField value={form.name} onChange={(name) => onChange({ ...form, name })} />
      <AllowlistField
        value={form.allowlist}
        onChange={(allowlist) => onChange({ ...form, allowlist })}
      />
      <Textarea
        label="Placements"
        description="For secrets without placements of their own: header, header:NAME, body, body:FIELD, query or path, one per line. Empty: header and body, or what the operator has set."
        autosize
        minRows={1}
        value={form.placements}
        onChange={(event) => onChange({ ...form, placements: event.currentTarget.value })}
      />
    </>
  );
}
