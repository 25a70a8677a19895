import { Stack, Text } from "@mantine/core";
import { Sandbox, type SandboxDetail } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { useSandboxes } from "../sandboxes/use-sandboxes.ts";
import { connection } from "../service/connection.ts";
import { CreateCheckpointDialog } from "./checkpoint-dialogs.tsx";
import { CheckpointTree } from "./checkpoint-tree.tsx";
import { growTree, lineageOf } from "./grow-tree.ts";

const pollMilliseconds = 3_000;

/** The checkpoints of a sandbox with the forks of each, and theirs, as a tree. */
export function CheckpointsTab({ sandbox }: { sandbox: SandboxDetail }) {
  const { sandboxID } = sandbox;
  const sandboxes = useSandboxes();
  const all = sandboxes.data ?? [sandbox];
  const checkpoints = useQuery({
    queryKey: ["checkpoints", sandboxID],
    queryFn: () => lineageOf(sandboxID, all, (id) => Sandbox.listCheckpoints(id, connection)),
    enabled: sandboxes.data !== undefined,
    refetchInterval: pollMilliseconds,
  });
  const tree = growTree(sandboxID, all, checkpoints.data ?? new Map());
  return (
    <Stack>
      {sandbox.fromCheckpointId === undefined ? null : (
        <Text>This sandbox is a fork of checkpoint {sandbox.fromCheckpointId}.</Text>
      )}
      <div>
        <DialogButton
          dialog={(close) => <CreateCheckpointDialog sandboxId={sandboxID} onClose={close} />}
        >
          Create a checkpoint
        </DialogButton>
      </div>
      <ErrorAlert error={checkpoints.error ?? sandboxes.error} />
      {tree.length === 0 && checkpoints.data !== undefined ? (
        <EmptyState
          text="There are no checkpoints. A checkpoint saves memory and disk at one moment; the sandbox can be restored to it, and forks start from it:"
          command={["oc", "checkpoint", "create", sandboxID, "--name", "before-the-change"]}
        />
      ) : (
        <CheckpointTree nodes={tree} label="Checkpoints and forks" />
      )}
    </Stack>
  );
}
