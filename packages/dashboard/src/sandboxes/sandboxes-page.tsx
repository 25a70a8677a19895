import { Anchor, Text, TextInput } from "@mantine/core";
import type { SandboxSummary } from "@opencomputer/sdk";
import { useState } from "react";
import { Link } from "wouter";
import { type Column, DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { Page } from "../parts/page.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";
import { When } from "../parts/when.tsx";
import { OrgUsage } from "../usage/org-usage.tsx";
import { CreateSandboxDialog } from "./create-sandbox-dialog.tsx";
import { Labels } from "./labels.tsx";
import { SandboxActions } from "./sandbox-actions.tsx";
import { searchSandboxes } from "./search-sandboxes.ts";
import { useSandboxes } from "./use-sandboxes.ts";

const columns: readonly Column<SandboxSummary>[] = [
  {
    header: "Id",
    cell: ({ sandboxID }) => (
      <Anchor component={Link} href={`/sandboxes/${sandboxID}`} underline="always" fz="sm">
        {sandboxID}
      </Anchor>
    ),
  },
  { header: "Status", cell: ({ status }) => <StatusBadge status={status} /> },
  {
    header: "Size",
    isExtra: true,
    cell: ({ cpuCount, memoryMB }) => `${cpuCount} CPU, ${memoryMB} MB`,
  },
  {
    header: "Tags and metadata",
    isExtra: true,
    cell: ({ tags, metadata }) => <Labels entries={{ ...metadata, ...tags }} />,
  },
  { header: "Started", isExtra: true, cell: ({ startedAt }) => <When at={startedAt} /> },
  { header: "Actions", cell: (sandbox) => <SandboxActions sandbox={sandbox} /> },
];

/** The org's running and hibernated sandboxes, as they are now. */
export function SandboxesPage() {
  const [search, setSearch] = useState("");
  const sandboxes = useSandboxes();
  const found = searchSandboxes(sandboxes.data ?? [], search);
  return (
    <Page
      title="Sandboxes"
      error={sandboxes.error}
      actions={
        <DialogButton
          size="sm"
          variant="filled"
          dialog={(close) => <CreateSandboxDialog onClose={close} />}
        >
          Create a sandbox
        </DialogButton>
      }
    >
      {sandboxes.data?.length === 0 ? (
        <EmptyState
          text="There are no sandboxes. Create the first one here, or on the command line, and run a command in it:"
          command={["oc", "create", "--timeout", "600"]}
        />
      ) : (
        <>
          <TextInput
            type="search"
            label="Search"
            description="Words from the id, status, tags and metadata, or key=value for an exact tag"
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          <Text size="sm" role="status">
            {sandboxes.data === undefined
              ? "Loading"
              : `${found.length} of ${sandboxes.data.length} sandboxes`}
          </Text>
          <OrgUsage />
          <DataTable
            name="Sandboxes"
            rows={found}
            keyOf={({ sandboxID }) => sandboxID}
            columns={columns}
          />
        </>
      )}
    </Page>
  );
}
