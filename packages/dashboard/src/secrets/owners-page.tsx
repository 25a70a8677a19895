import { Anchor } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { Page } from "../parts/page.tsx";
import { When } from "../parts/when.tsx";

/** What lists show of a store or a project. */
interface ListedOwner {
  id: string;
  name: string;
  egressAllowlist: readonly string[];
  updatedAt: string;
}

/** The list of all stores or projects. */
export function OwnersPage({
  title,
  path,
  query,
  createLabel,
  createDialog,
  empty,
}: {
  title: string;
  /** Where the list is; the page of each is below it. */
  path: string;
  query: UseQueryResult<readonly ListedOwner[]>;
  createLabel: string;
  createDialog: (close: () => void) => ReactNode;
  /** What is shown while there is none. */
  empty: { text: string; command: readonly string[] };
}) {
  return (
    <Page
      title={title}
      error={query.error}
      actions={
        <DialogButton size="sm" variant="filled" dialog={createDialog}>
          {createLabel}
        </DialogButton>
      }
    >
      {query.data?.length === 0 ? (
        <EmptyState text={empty.text} command={empty.command} />
      ) : (
        <DataTable<ListedOwner>
          name={title}
          rows={query.data ?? []}
          keyOf={({ id }) => id}
          columns={[
            {
              header: "Name",
              cell: ({ id, name }) => (
                <Anchor component={Link} href={`${path}/${id}`} underline="always">
                  {name}
                </Anchor>
              ),
            },
            {
              header: "Egress allowlist",
              cell: ({ egressAllowlist }) => egressAllowlist.join(", ") || "all hosts",
            },
            { header: "Changed", isExtra: true, cell: ({ updatedAt }) => <When at={updatedAt} /> },
          ]}
        />
      )}
    </Page>
  );
}
