import { Checkbox, NumberInput, Select, Text, TextInput } from "@mantine/core";
import { type CheckpointRecord, Sandbox, SecretStore } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { connection } from "../service/connection.ts";

interface CheckpointDialogProps {
  checkpoint: CheckpointRecord;
  onClose: () => void;
}

export function CreateCheckpointDialog({
  sandboxId,
  onClose,
}: {
  sandboxId: string;
  onClose: () => void;
}) {
  const [name, setName] = useState("");
  const [isDiskOnly, setDiskOnly] = useState(false);
  const kind = isDiskOnly ? "disk_only" : "full";
  return (
    <ActionDialog
      title="Create a checkpoint"
      submitLabel="Create"
      command={[
        ...["oc", "checkpoint", "create", sandboxId, "--name", name],
        ...(isDiskOnly ? ["--kind", kind] : []),
      ]}
      onClose={onClose}
      onSubmit={async () =>
        (await Sandbox.connect(sandboxId, connection)).createCheckpoint(name, { kind })
      }
    >
      <TextInput
        label="Name"
        description="Unique among the sandbox's checkpoints"
        required
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Checkbox
        label="The disk only"
        description="Without memory and processes: forks boot from it"
        checked={isDiskOnly}
        onChange={(event) => setDiskOnly(event.currentTarget.checked)}
      />
    </ActionDialog>
  );
}

export function ForkCheckpointDialog({ checkpoint, onClose }: CheckpointDialogProps) {
  const [secretStore, setSecretStore] = useState("");
  const [timeout, setTimeout] = useState("");
  const [, navigate] = useLocation();
  const stores = useQuery({
    queryKey: ["secret-stores"],
    queryFn: () => SecretStore.list(connection),
  });
  return (
    <ActionDialog
      title={`Fork ${checkpoint.name}`}
      submitLabel="Fork"
      command={[
        ...["oc", "checkpoint", "spawn", checkpoint.id],
        ...(timeout === "" ? [] : ["--timeout", timeout]),
        ...(secretStore === "" ? [] : ["--secret-store", secretStore]),
      ]}
      onClose={onClose}
      onSubmit={async () => {
        const fork = await Sandbox.createFromCheckpoint(checkpoint.id, {
          ...connection,
          secretStore: secretStore || undefined,
          timeout: timeout === "" ? undefined : Number(timeout),
        });
        navigate(`/sandboxes/${fork.sandboxId}`);
      }}
    >
      <Text>
        A new sandbox continues from the moment of the checkpoint. What either does afterwards does
        not affect the other.
      </Text>
      <Select
        label="Secret store"
        description="Layered over the parent's secrets: where both have a name, this one wins"
        data={(stores.data ?? []).map(({ name }) => name)}
        value={secretStore || null}
        onChange={(value) => setSecretStore(value ?? "")}
        clearable
        placeholder="The parent's secrets alone"
      />
      <NumberInput
        label="Idle time-out in seconds"
        description="0 is never. Default: the parent's"
        allowDecimal={false}
        allowNegative={false}
        value={timeout}
        onChange={(value) => setTimeout(String(value))}
      />
    </ActionDialog>
  );
}

export function RestoreCheckpointDialog({ checkpoint, onClose }: CheckpointDialogProps) {
  const { id, name, sandboxId } = checkpoint;
  return (
    <ActionDialog
      title={`Restore ${sandboxId} to ${name}`}
      submitLabel="Restore"
      command={["oc", "checkpoint", "restore", sandboxId, id]}
      isDanger
      onClose={onClose}
      onSubmit={async () => (await Sandbox.connect(sandboxId, connection)).restoreCheckpoint(id)}
    >
      <Text>What the sandbox has done since then is lost: its memory, processes and files.</Text>
    </ActionDialog>
  );
}

export function DeleteCheckpointDialog({ checkpoint, onClose }: CheckpointDialogProps) {
  const { id, name, sandboxId } = checkpoint;
  return (
    <ActionDialog
      title={`Delete ${name}`}
      submitLabel="Delete"
      command={["oc", "checkpoint", "delete", sandboxId, id]}
      isDanger
      onClose={onClose}
      onSubmit={() => Sandbox.deleteCheckpoint(sandboxId, id, connection)}
    >
      <Text>Its forks keep running.</Text>
    </ActionDialog>
  );
}
