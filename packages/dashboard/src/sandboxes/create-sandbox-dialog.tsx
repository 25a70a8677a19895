import { Checkbox, NumberInput, Select, SimpleGrid, Textarea } from "@mantine/core";
import { defaults, limits, Project, Sandbox, SecretStore, Snapshots } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { connection } from "../service/connection.ts";
import { createCommand, createOptions, emptyCreateForm } from "./create-options.ts";

/** Creates a sandbox, and goes to its page. */
export function CreateSandboxDialog({ onClose }: { onClose: () => void }) {
  const [form, setForm] = useState(emptyCreateForm);
  const [, navigate] = useLocation();
  const set = (changes: Partial<typeof form>) => setForm((before) => ({ ...before, ...changes }));
  const projects = useQuery({ queryKey: ["projects"], queryFn: () => Project.list(connection) });
  const stores = useQuery({
    queryKey: ["secret-stores"],
    queryFn: () => SecretStore.list(connection),
  });
  const snapshots = useQuery({
    queryKey: ["snapshots"],
    queryFn: () => new Snapshots(connection).list(),
  });
  const namesOf = (objects: readonly { name: string }[] | undefined) =>
    (objects ?? []).map(({ name }) => name);
  const number = (field: "cpuCount" | "memoryMB" | "diskMB" | "timeout") => ({
    value: form[field],
    onChange: (value: string | number) => set({ [field]: String(value) }),
    allowDecimal: false,
    allowNegative: false,
  });
  const choice = (field: "project" | "secretStore" | "snapshot") => ({
    value: form[field] || null,
    onChange: (value: string | null) => set({ [field]: value ?? "" }),
    clearable: true,
    placeholder: "None",
  });

  return (
    <ActionDialog
      title="Create a sandbox"
      submitLabel="Create"
      size="lg"
      command={createCommand(form)}
      onClose={onClose}
      onSubmit={async () => {
        const created = await Sandbox.create({ ...connection, ...createOptions(form) });
        navigate(`/sandboxes/${created.sandboxId}`);
      }}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <Select
          label="Project"
          description="Gives it defaults and secrets"
          data={namesOf(projects.data)}
          {...choice("project")}
        />
        <Select
          label="Secret store"
          description="Gives it secrets, as sealed tokens"
          data={namesOf(stores.data)}
          {...choice("secretStore")}
        />
        <Select
          label="Snapshot"
          description="Image to start from instead of the base image"
          data={namesOf(snapshots.data?.filter(({ status }) => status === "ready"))}
          {...choice("snapshot")}
        />
        <NumberInput
          label="Idle time-out in seconds"
          description={`After which it hibernates; 0 is never. Default ${defaults.idleTimeoutSeconds}`}
          max={limits.idleTimeoutSecondsMax}
          {...number("timeout")}
        />
        <NumberInput
          label="CPUs"
          description={`${limits.cpuCountMin} to ${limits.cpuCountMax}. Default ${defaults.cpuCount}`}
          max={limits.cpuCountMax}
          {...number("cpuCount")}
        />
        <NumberInput
          label="Memory in MB"
          description={`${limits.memoryMBMin} to ${limits.memoryMBMax}. Default ${defaults.memoryMB}`}
          max={limits.memoryMBMax}
          {...number("memoryMB")}
        />
        <NumberInput
          label="Disk in MB"
          description={`${limits.diskMBMin} to ${limits.diskMBMax}. Default ${limits.diskMBMin}`}
          max={limits.diskMBMax}
          {...number("diskMB")}
        />
      </SimpleGrid>
      <Textarea
        label="Environment variables"
        description="One NAME=VALUE per line. Programs in the sandbox can read them: put secrets into a secret store."
        autosize
        minRows={2}
        value={form.envs}
        onChange={(event) => set({ envs: event.currentTarget.value })}
      />
      <Textarea
        label="Metadata"
        description="One KEY=VALUE per line, for your own use. The sandbox does not see it."
        autosize
        minRows={2}
        value={form.metadata}
        onChange={(event) => set({ metadata: event.currentTarget.value })}
      />
      <Checkbox
        label="CPU use also keeps it awake"
        checked={form.staysAwakeForCpu}
        onChange={(event) => set({ staysAwakeForCpu: event.currentTarget.checked })}
      />
      <Checkbox
        label="Previews require a token"
        description="This dashboard opens them without it. Only oc shows the token."
        checked={form.needsPreviewAuth}
        onChange={(event) => set({ needsPreviewAuth: event.currentTarget.checked })}
      />
    </ActionDialog>
  );
}
