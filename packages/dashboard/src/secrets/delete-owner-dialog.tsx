import { Text } from "@mantine/core";
import { useLocation } from "wouter";
import { ActionDialog } from "../parts/action-dialog.tsx";

/** Deletes a store or a project with its secrets, and leads back to the list. */
export function DeleteOwnerDialog({
  name,
  command,
  listPath,
  remove,
  onClose,
}: {
  name: string;
  command: readonly string[];
  listPath: string;
  remove: () => Promise<unknown>;
  onClose: () => void;
}) {
  const [, navigate] = useLocation();
  return (
    <ActionDialog
      title={`Delete ${name}`}
      submitLabel="Delete"
      command={command}
      isDanger
      onClose={onClose}
      onSubmit={async () => {
        await remove();
        navigate(listPath);
      }}
    >
      <Text>Its secrets are deleted with it. Sandboxes that have them keep their copies.</Text>
    </ActionDialog>
  );
}
