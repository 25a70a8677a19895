import { Anchor, Group, NativeSelect, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { sandboxIdSchema } from "@opencomputer/protocol/api";
import { type EventRecord, Events, type EventType, eventTypeSchema } from "@opencomputer/sdk";
import { useMemo, useState } from "react";
import { Link } from "wouter";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { type Column, DataTable } from "../parts/data-table.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { Page } from "../parts/page.tsx";
import { When } from "../parts/when.tsx";
import { Labels } from "../sandboxes/labels.tsx";
import { connection } from "../service/connection.ts";
import { type FollowedLog, followedRowsMax, useFollowed } from "../service/use-followed.ts";
import { describeEvent } from "./describe-event.ts";

const typingMilliseconds = 400;

const columns: readonly Column<EventRecord>[] = [
  { header: "Time", isExtra: true, cell: ({ time }) => <When at={time} /> },
  { header: "Type", cell: (event) => describeEvent(event).type },
  {
    header: "Sandbox",
    cell: ({ sandboxId }) =>
      sandboxId === null ? (
        "none"
      ) : (
        <Anchor component={Link} href={`/sandboxes/${sandboxId}`} underline="always" fz="sm">
          {sandboxId}
        </Anchor>
      ),
  },
  { header: "Details", cell: (event) => <Labels entries={describeEvent(event).details} /> },
];

/** What has happened in the org, as it happens: of all sandboxes, or at first of one. */
export function EventsPage({ sandboxId: firstSandboxId = "" }: { sandboxId?: string | undefined }) {
  const [type, setType] = useState<EventType>();
  const [typedId, setTypedId] = useState(firstSandboxId);
  const [settledId] = useDebouncedValue(typedId.trim(), typingMilliseconds);
  const isId = sandboxIdSchema.safeParse(settledId).success;
  const sandboxId = isId ? settledId : undefined;
  const log = useMemo(() => followedEvents(type, sandboxId), [type, sandboxId]);
  const { rows, error } = useFollowed(log);
  return (
    <Page title="Events" error={error}>
      <Group align="flex-start">
        <NativeSelect
          label="Type"
          data={[{ value: "", label: "All types" }, ...eventTypeSchema.options]}
          value={type ?? ""}
          onChange={(event) => setType(eventTypeSchema.safeParse(event.currentTarget.value).data)}
        />
        <TextInput
          type="search"
          label="Sandbox"
          miw={260}
          spellCheck={false}
          error={
            settledId === "" || isId ? undefined : "Expected the complete id of a sandbox, sb-…"
          }
          value={typedId}
          onChange={(event) => setTypedId(event.currentTarget.value)}
        />
      </Group>
      {rows?.length === 0 ? (
        <EmptyState
          text="There are no such events. Events record changes of sandboxes, checkpoints, images and webhooks, for instance that a sandbox was created:"
          command={["oc", "create"]}
        />
      ) : (
        <>
          <Text size="sm">
            {rows === undefined
              ? "Loading"
              : `Live: the ${followedRowsMax} newest events, newest first.`}
          </Text>
          <DataTable name="Events" rows={rows ?? []} keyOf={({ id }) => id} columns={columns} />
        </>
      )}
      <Text size="sm">The same on the command line:</Text>
      <OcCommand
        words={[
          ...["oc", "events", "--follow"],
          ...(type === undefined ? [] : ["--type", type]),
          ...(sandboxId === undefined ? [] : ["--sandbox", sandboxId]),
        ]}
      />
    </Page>
  );
}

function followedEvents(
  type: EventType | undefined,
  sandboxId: string | undefined,
): FollowedLog<EventRecord> {
  const chosen = { ...connection, sandboxId, types: type === undefined ? undefined : [type] };
  return {
    newest: async (limit, signal) => {
      const page = await Events.list({ ...chosen, order: "desc", limit, signal });
      return { rows: page.events, cursor: page.cursor };
    },
    follow: (cursor, signal) => Events.follow({ ...chosen, cursor, signal }),
  };
}
