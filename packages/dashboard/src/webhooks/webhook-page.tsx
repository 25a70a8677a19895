import { NativeSelect, Text } from "@mantine/core";
import { Webhook, type WebhookDelivery } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { type Column, DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { Page } from "../parts/page.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";
import { When } from "../parts/when.tsx";
import { connection } from "../service/connection.ts";
import { WebhookActions } from "./webhook-actions.tsx";
import { WebhookStatus } from "./webhook-status.tsx";

const pollMilliseconds = 3_000;
const states = ["pending", "delivered", "failed"] as const;

const columns: readonly Column<WebhookDelivery>[] = [
  { header: "Event", cell: ({ eventType }) => eventType },
  {
    header: "State",
    cell: ({ state, nextAttemptAt }) => (
      <>
        <StatusBadge status={state} />
        {nextAttemptAt === null ? null : (
          <Text size="sm">
            next attempt <When at={nextAttemptAt} />
          </Text>
        )}
      </>
    ),
  },
  { header: "Attempts", isExtra: true, cell: ({ attempts }) => attempts },
  {
    header: "Response",
    isExtra: true,
    cell: ({ error, responseStatus }) => error ?? responseStatus ?? "none",
  },
  { header: "Created", isExtra: true, cell: ({ createdAt }) => <When at={createdAt} /> },
  { header: "Actions", cell: (delivery) => <ResendButton delivery={delivery} /> },
];

/** A webhook, and its deliveries. */
export function WebhookPage({ id }: { id: string }) {
  const [, navigate] = useLocation();
  const [state, setState] = useState<WebhookDelivery["state"]>();
  const webhook = useQuery({
    queryKey: ["webhooks", id],
    queryFn: ({ signal }) => Webhook.get(id, { ...connection, signal }),
    refetchInterval: pollMilliseconds,
  });
  const deliveries = useQuery({
    queryKey: ["webhooks", id, "deliveries", state],
    queryFn: ({ signal }) => Webhook.listDeliveries(id, { ...connection, state, signal }),
    refetchInterval: pollMilliseconds,
  });
  const { data } = webhook;
  return (
    <Page
      title="Webhook"
      error={webhook.error}
      actions={
        data === undefined ? null : (
          <WebhookActions webhook={data} onDeleted={() => navigate("/webhooks")} />
        )
      }
    >
      {data === undefined ? null : (
        <>
          <Text style={{ overflowWrap: "anywhere" }}>
            {data.url} gets {data.eventTypes?.join(", ") ?? "all events"}
            {data.sandboxId === null ? "" : ` of ${data.sandboxId}`}.
          </Text>
          <div>
            <WebhookStatus webhook={data} />
          </div>
          <NativeSelect
            label="State of deliveries"
            maw={260}
            data={[{ value: "", label: "All" }, ...states]}
            value={state ?? ""}
            onChange={(event) => {
              const { value } = event.currentTarget;
              setState(states.find((one) => one === value));
            }}
          />
          <ErrorAlert error={deliveries.error} />
          {deliveries.data?.length === 0 ? (
            <EmptyState text="There are no such deliveries. Each event for the webhook has one." />
          ) : (
            <DataTable
              name="Deliveries"
              rows={deliveries.data ?? []}
              keyOf={(delivery) => delivery.id}
              columns={columns}
            />
          )}
          <Text size="sm">The same on the command line:</Text>
          <OcCommand
            words={[
              ...["oc", "webhook", "deliveries", id],
              ...(state === undefined ? [] : ["--state", state]),
            ]}
          />
        </>
      )}
    </Page>
  );
}

function ResendButton({ delivery: { id, webhookId, eventType } }: { delivery: WebhookDelivery }) {
  return (
    <DialogButton
      aria-label={`Resend ${eventType}`}
      dialog={(close) => (
        <ActionDialog
          title={`Resend ${eventType}`}
          submitLabel="Resend"
          command={["oc", "webhook", "resend", webhookId, id]}
          onClose={close}
          onSubmit={() => Webhook.resend(webhookId, id, connection)}
        >
          <Text>
            The event is sent again, as a new delivery. Its id stays the same, so that a receiver
            can recognize it.
          </Text>
        </ActionDialog>
      )}
    >
      Resend
    </DialogButton>
  );
}
