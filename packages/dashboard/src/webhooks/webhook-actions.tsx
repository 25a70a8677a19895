import { Text } from "@mantine/core";
import { Webhook, type WebhookRecord } from "@opencomputer/sdk";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { connection } from "../service/connection.ts";

/** What can be done to a webhook: disable it or enable it again, and delete it. */
export function WebhookActions({
  webhook,
  onDeleted = () => undefined,
}: {
  webhook: WebhookRecord;
  onDeleted?: () => void;
}) {
  const { id, url, enabled } = webhook;
  const label = enabled ? "Disable" : "Enable";
  return (
    <>
      <DialogButton
        aria-label={`${label} ${url}`}
        dialog={(close) => (
          <ActionDialog
            title={`${label} ${url}`}
            submitLabel={label}
            command={["oc", "webhook", "update", id, enabled ? "--disable" : "--enable"]}
            onClose={close}
            onSubmit={() => Webhook.update(id, { ...connection, enabled: !enabled })}
          >
            <Text>
              {enabled
                ? "It gets no events until it is enabled again."
                : "It gets events from now on, and none of those that happened before."}
            </Text>
          </ActionDialog>
        )}
      >
        {label}
      </DialogButton>
      <DialogButton
        aria-label={`Delete ${url}`}
        dialog={(close) => (
          <ActionDialog
            title={`Delete ${url}`}
            submitLabel="Delete"
            command={["oc", "webhook", "delete", id]}
            isDanger
            onClose={close}
            onSubmit={async () => {
              await Webhook.delete(id, connection);
              onDeleted();
            }}
          >
            <Text>Its pending deliveries are deleted with it.</Text>
          </ActionDialog>
        )}
      >
        Delete
      </DialogButton>
    </>
  );
}
