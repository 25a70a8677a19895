import { Text } from "@mantine/core";
import type { WebhookRecord } from "@opencomputer/sdk";
import { StatusBadge } from "../parts/status-badge.tsx";
import { When } from "../parts/when.tsx";

const disabledReasons: Readonly<Record<NonNullable<WebhookRecord["disabledReason"]>, string>> = {
  requested: "as requested",
  gone: "its receiver responded with 410",
  failing: "its deliveries failed for a day",
};

/** Whether a webhook gets events, and if not, why. */
export function WebhookStatus({
  webhook: { enabled, disabledReason, failingSince },
}: {
  webhook: WebhookRecord;
}) {
  if (!enabled) {
    return (
      <>
        <StatusBadge status="disabled" />
        {disabledReason === null ? null : <Text size="sm">{disabledReasons[disabledReason]}</Text>}
      </>
    );
  }
  if (failingSince === null) return <StatusBadge status="enabled" />;
  return (
    <>
      <StatusBadge status="failing" />
      <Text size="sm">
        since <When at={failingSince} />
      </Text>
    </>
  );
}
