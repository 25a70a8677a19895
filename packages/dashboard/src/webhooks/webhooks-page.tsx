import { Anchor, Group } from "@mantine/core";
import { Webhook, type WebhookRecord } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { type Column, DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { Page } from "../parts/page.tsx";
import { When } from "../parts/when.tsx";
import { connection } from "../service/connection.ts";
import { CreateWebhookDialog } from "./create-webhook-dialog.tsx";
import { WebhookActions } from "./webhook-actions.tsx";
import { WebhookStatus } from "./webhook-status.tsx";

const pollMilliseconds = 5_000;

const columns: readonly Column<WebhookRecord>[] = [
  {
    header: "URL",
    cell: ({ id, url }) => (
      <Anchor component={Link} href={`/webhooks/${id}`} underline="always" fz="sm">
        {url}
      </Anchor>
    ),
  },
  {
    header: "Events",
    isExtra: true,
    cell: ({ eventTypes }) => eventTypes?.join(", ") ?? "all",
  },
  { header: "Status", cell: (webhook) => <WebhookStatus webhook={webhook} /> },
  { header: "Created", isExtra: true, cell: ({ createdAt }) => <When at={createdAt} /> },
  {
    header: "Actions",
    cell: (webhook) => (
      <Group gap={4}>
        <WebhookActions webhook={webhook} />
      </Group>
    ),
  },
];

/** The webhooks of the org, without their secrets. */
export function WebhooksPage() {
  const webhooks = useQuery({
    queryKey: ["webhooks"],
    queryFn: ({ signal }) => Webhook.list({ ...connection, signal }),
    refetchInterval: pollMilliseconds,
  });
  return (
    <Page
      title="Webhooks"
      error={webhooks.error}
      actions={
        <DialogButton
          size="sm"
          variant="filled"
          dialog={(close) => <CreateWebhookDialog onClose={close} />}
        >
          Create a webhook
        </DialogButton>
      }
    >
      {webhooks.data?.length === 0 ? (
        <EmptyState
          text="The org has no webhooks. A webhook is a URL to which events are posted, signed with a secret that only oc shows:"
          command={["oc", "webhook", "create", "--url", "https://example.com/hook"]}
        />
      ) : (
        <DataTable
          name="Webhooks"
          rows={webhooks.data ?? []}
          keyOf={({ id }) => id}
          columns={columns}
        />
      )}
    </Page>
  );
}
