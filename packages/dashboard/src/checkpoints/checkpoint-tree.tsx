import { Anchor, Group, List, Text } from "@mantine/core";
import { Link } from "wouter";
import { DialogButton } from "../parts/dialog-button.tsx";
import { formatBytes } from "../parts/format-bytes.ts";
import { StatusBadge } from "../parts/status-badge.tsx";
import { visibleText } from "../parts/visible-text.ts";
import { When } from "../parts/when.tsx";
import {
  DeleteCheckpointDialog,
  ForkCheckpointDialog,
  RestoreCheckpointDialog,
} from "./checkpoint-dialogs.tsx";
import type { CheckpointNode } from "./grow-tree.ts";

/** Lists within lists: screen readers announce their depth. */
export function CheckpointTree({
  nodes,
  label,
}: {
  nodes: readonly CheckpointNode[];
  label: string;
}) {
  return (
    <List listStyleType="none" spacing="sm" withPadding={false} aria-label={label}>
      {nodes.map((node) => (
        <Branch key={node.checkpoint.id} node={node} />
      ))}
    </List>
  );
}

function Branch({ node: { checkpoint, forks } }: { node: CheckpointNode }) {
  const isReady = checkpoint.status === "ready";
  return (
    <List.Item>
      <Group gap="xs">
        <Text fw={600}>{checkpoint.name}</Text>
        <StatusBadge status={checkpoint.status} />
        <Text size="sm">
          {checkpoint.kind === "full" ? "memory and disk" : "disk only"}
          {isReady ? `, ${formatBytes(checkpoint.sizeBytes)}` : ""},{" "}
          <When at={checkpoint.createdAt} />
        </Text>
        {isReady ? (
          <>
            <DialogButton
              aria-label={`Fork ${checkpoint.name}`}
              dialog={(close) => <ForkCheckpointDialog checkpoint={checkpoint} onClose={close} />}
            >
              Fork
            </DialogButton>
            <DialogButton
              aria-label={`Restore ${checkpoint.name}`}
              dialog={(close) => (
                <RestoreCheckpointDialog checkpoint={checkpoint} onClose={close} />
              )}
            >
              Restore
            </DialogButton>
          </>
        ) : null}
        <DialogButton
          aria-label={`Delete ${checkpoint.name}`}
          dialog={(close) => <DeleteCheckpointDialog checkpoint={checkpoint} onClose={close} />}
        >
          Delete
        </DialogButton>
      </Group>
      {checkpoint.failure === undefined ? null : (
        <Text size="sm">{visibleText(checkpoint.failure)}</Text>
      )}
      {forks.length === 0 ? null : (
        <List listStyleType="none" withPadding mt="xs" aria-label={`Forks of ${checkpoint.name}`}>
          {forks.map(({ sandbox, checkpoints }) => (
            <List.Item key={sandbox.sandboxID}>
              <Group gap="xs">
                <Anchor
                  component={Link}
                  href={`/sandboxes/${sandbox.sandboxID}`}
                  underline="always"
                >
                  {sandbox.sandboxID}
                </Anchor>
                <StatusBadge status={sandbox.status} />
              </Group>
              {checkpoints.length === 0 ? null : (
                <CheckpointTree nodes={checkpoints} label={`Checkpoints of ${sandbox.sandboxID}`} />
              )}
            </List.Item>
          ))}
        </List>
      )}
    </List.Item>
  );
}
