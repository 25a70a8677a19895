import { Text } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { DialogButton } from "../parts/dialog-button.tsx";
import { Page } from "../parts/page.tsx";
import type { SecretOwner } from "./secret-owner.ts";
import { SecretsPanel } from "./secrets-panel.tsx";

type Dialog<OwnerRecord> = (record: OwnerRecord, close: () => void) => ReactNode;

/** The page of one store or project: what its sandboxes get, and its secrets. */
export function OwnerPage<OwnerRecord extends { name: string }>({
  kind,
  query,
  owner,
  updateDialog,
  deleteDialog,
  describe,
}: {
  /** What it is, as headings begin. */
  kind: string;
  query: UseQueryResult<OwnerRecord>;
  owner: SecretOwner;
  updateDialog: Dialog<OwnerRecord>;
  deleteDialog: Dialog<OwnerRecord>;
  describe: (record: OwnerRecord) => ReactNode;
}) {
  const record = query.data;
  if (record === undefined) {
    return (
      <Page title={kind} error={query.error}>
        {null}
      </Page>
    );
  }
  return (
    <Page
      title={`${kind} ${record.name}`}
      error={query.error}
      actions={
        <>
          <DialogButton dialog={(close) => updateDialog(record, close)}>Change</DialogButton>
          <DialogButton dialog={(close) => deleteDialog(record, close)}>Delete</DialogButton>
        </>
      }
    >
      <Text style={{ overflowWrap: "anywhere" }}>{describe(record)}</Text>
      <SecretsPanel owner={owner} />
    </Page>
  );
}
