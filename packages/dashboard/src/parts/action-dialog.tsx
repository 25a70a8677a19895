import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { ErrorAlert } from "./error-alert.tsx";

/**
 * A form that does one thing to the service. It stays open with the error where
 * that is refused; where it is done, everything shown is read again.
 */
export function ActionDialog({
  title,
  submitLabel,
  command,
  furtherCommand,
  isDanger = false,
  size = "md",
  onSubmit,
  onClose,
  children,
}: {
  title: string;
  submitLabel: string;
  /** The words of the command line that does the same with what is in the form. */
  command?: readonly string[] | undefined;
  /** Those of a second one, where one cannot do it all. */
  furtherCommand?: readonly string[] | undefined;
  /** Whether it takes something away for good. */
  isDanger?: boolean;
  size?: "md" | "lg" | "xl";
  onSubmit: () => Promise<unknown>;
  onClose: () => void;
  children?: ReactNode;
}) {
  const client = useQueryClient();
  const action = useMutation({
    mutationFn: onSubmit,
    onSuccess: async () => {
      onClose();
      await client.invalidateQueries();
    },
  });
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      size={size}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          action.mutate();
        }}
      >
        <Stack>
          {children}
          {command === undefined ? null : (
            <div>
              <Text size="sm" mb={4}>
                The same on the command line:
              </Text>
              <Stack gap={4}>
                <OcCommand words={command} />
                {furtherCommand === undefined ? null : <OcCommand words={furtherCommand} />}
              </Stack>
            </div>
          )}
          <ErrorAlert error={action.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" color={isDanger ? "red" : "blue"} loading={action.isPending}>
              {submitLabel}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
