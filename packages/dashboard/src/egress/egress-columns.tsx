import { Text } from "@mantine/core";
import type { EgressEntry } from "@opencomputer/sdk";
import type { Column } from "../parts/data-table.tsx";
import { formatBytes } from "../parts/format-bytes.ts";
import { StatusBadge } from "../parts/status-badge.tsx";
import { visibleText } from "../parts/visible-text.ts";
import { When } from "../parts/when.tsx";
import { describeRequest, describeSecrets, formatDuration } from "./describe-entry.ts";

/** What the egress tab shows of each exchange. */
export const egressColumns: readonly Column<EgressEntry>[] = [
  { header: "Time", isExtra: true, cell: ({ time }) => <When at={time} /> },
  { header: "Request", cell: describeRequest },
  {
    header: "Decision",
    cell: ({ decision, reason }) => (
      <>
        <StatusBadge status={decision} />
        {reason === null ? null : <Text size="sm">{visibleText(reason)}</Text>}
      </>
    ),
  },
  {
    header: "Secrets",
    cell: (entry) =>
      describeSecrets(entry).map((text) => (
        <Text key={text} size="sm">
          {text}
        </Text>
      )),
  },
  { header: "Status", isExtra: true, cell: ({ status }) => status ?? "none" },
  {
    header: "Bytes",
    isExtra: true,
    cell: ({ requestBytes, responseBytes }) =>
      `${formatBytes(requestBytes)} sent, ${formatBytes(responseBytes)} received`,
  },
  {
    header: "Duration",
    isExtra: true,
    cell: ({ durationMilliseconds }) => formatDuration(durationMilliseconds),
  },
];
