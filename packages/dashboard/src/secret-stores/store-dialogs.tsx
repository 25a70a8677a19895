import { Text, Textarea, TextInput } from "@mantine/core";
import { SecretStore, type SecretStoreRecord } from "@opencomputer/sdk";
import { useState } from "react";
import { useLocation } from "wouter";
import { ActionDialog } from "../parts/action-dialog.tsx";
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
  const [, navigate] = useLocation();
  return (
    <ActionDialog
      title={`Delete ${store.name}`}
      submitLabel="Delete"
      command={["oc", "secret-store", "delete", store.id]}
      isDanger
      onClose={onClose}
      onSubmit={async () => {
        await SecretStore.delete(store.id, connection);
        navigate("/secret-stores");
      }}
    >
      <Text>Its secrets go with it. Sandboxes that have them keep them.</Text>
    </ActionDialog>
  );
}

function StoreFields({ form, onChange }: { form: StoreForm; onChange: (form: StoreForm) => void }) {
  return (
    <>
      <TextInput
        label="Name"
        required
        value={form.name}
        onChange={(event) => onChange({ ...form, name: event.currentTarget.value })}
      />
      <Textarea
        label="Egress allowlist"
        description="Hosts that its sandboxes may reach, one in each line: api.example.com, *.example.com, tcp://db.example.com:5432. Empty: all."
        autosize
        minRows={2}
        value={form.allowlist}
        onChange={(event) => onChange({ ...form, allowlist: event.currentTarget.value })}
      />
      <Textarea
        label="Placements"
        description="Of secrets that name none: header, header:NAME, body, body:FIELD, query or path, one in each line. Empty: header and body, or what the operator has set."
        autosize
        minRows={1}
        value={form.placements}
        onChange={(event) => onChange({ ...form, placements: event.currentTarget.value })}
      />
    </>
  );
}
