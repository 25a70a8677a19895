import { PasswordInput, SegmentedControl, Text, Textarea, TextInput } from "@mantine/core";
import { recommendPlacement, type SecretEntry } from "@opencomputer/sdk";
import { useState } from "react";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { parseLines } from "../parts/parse-lines.ts";
import { emptySecretForm, secretLimits, secretValue, setSecretCommand } from "./secret-form.ts";
import type { SecretOwner } from "./secret-owner.ts";

/** Sets a new secret, or the one that is given again. What it has as its value now is nowhere here. */
export function SetSecretDialog({
  owner,
  secret,
  onWarning,
  onClose,
}: {
  owner: SecretOwner;
  secret?: SecretEntry;
  /** Gets what the service warns of; undefined when there is nothing. */
  onWarning: (warning: string | undefined) => void;
  onClose: () => void;
}) {
  const [form, setForm] = useState({
    ...emptySecretForm,
    name: secret?.name ?? "",
    kind: secret?.kind ?? ("value" as const),
  });
  const set = (changes: Partial<typeof form>) => setForm((before) => ({ ...before, ...changes }));
  const recommended = recommendPlacement(form.name, parseLines(form.allowedHosts));
  const password = (field: "value" | "accessKeyId" | "secretAccessKey" | "sessionToken") => ({
    value: form[field],
    onChange: (event: { currentTarget: HTMLInputElement }) =>
      set({ [field]: event.currentTarget.value }),
    autoComplete: "off",
    spellCheck: false,
  });
  return (
    <ActionDialog
      title={secret === undefined ? "Set a secret" : `Set ${secret.name} again`}
      submitLabel="Set"
      command={setSecretCommand(owner.id, form)}
      onClose={onClose}
      onSubmit={async () =>
        onWarning(await owner.set(form.name, secretValue(form), secretLimits(form)))
      }
    >
      <TextInput
        label="Name"
        description="The environment variable that holds its token in a sandbox"
        required
        disabled={secret !== undefined}
        value={form.name}
        onChange={(event) => set({ name: event.currentTarget.value })}
      />
      <SegmentedControl
        aria-label="Kind"
        data={[
          { value: "value", label: "One value" },
          { value: "aws", label: "AWS credentials" },
        ]}
        value={form.kind}
        onChange={(kind) => set({ kind })}
      />
      {form.kind === "value" ? (
        <PasswordInput
          label="Value"
          description="Sent to the service, and never shown again"
          required
          {...password("value")}
        />
      ) : (
        <>
          <PasswordInput label="Access key id" required {...password("accessKeyId")} />
          <PasswordInput label="Secret access key" required {...password("secretAccessKey")} />
          <PasswordInput label="Session token" {...password("sessionToken")} />
        </>
      )}
      <Textarea
        label="Allowed hosts"
        description={`One per line: api.example.com or *.example.com. Empty: ${secret === undefined ? "all that the sandbox may reach" : "unchanged"}`}
        autosize
        minRows={2}
        value={form.allowedHosts}
        onChange={(event) => set({ allowedHosts: event.currentTarget.value })}
      />
      <Textarea
        label="Placements"
        description={`One per line: header, header:NAME, body, body:FIELD, query or path. Empty: ${secret === undefined ? "the store's, or header and body" : "unchanged"}`}
        autosize
        minRows={1}
        value={form.placements}
        onChange={(event) => set({ placements: event.currentTarget.value })}
      />
      {recommended === undefined ? null : (
        <Text size="sm">
          {recommended.hosts.join(" and ")} needs it in {recommended.substituteIn.join(" and ")}{" "}
          only.
        </Text>
      )}
    </ActionDialog>
  );
}
