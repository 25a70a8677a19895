import { Anchor, Breadcrumbs, Button, Group, Stack, TextInput } from "@mantine/core";
import { type DirectoryEntry, Sandbox, type SandboxDetail } from "@opencomputer/sdk";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { visibleText } from "../parts/visible-text.ts";
import { AwakeOnly } from "../sandboxes/awake-only.tsx";
import { connection } from "../service/connection.ts";
import { fileColumns } from "./file-columns.tsx";
import { NewDirectoryDialog, UploadDialog } from "./file-dialogs.tsx";
import { joinPath, normalizePath, pathParts } from "./file-paths.ts";

const homeDirectory = "/home/sandbox";
/** A link is followed at once, so it need not live longer. */
const downloadSeconds = 60;

export function FilesTab({ sandbox }: { sandbox: SandboxDetail }) {
  return (
    <AwakeOnly sandbox={sandbox}>
      <Directory sandboxId={sandbox.sandboxID} />
    </AwakeOnly>
  );
}

/** One directory of a sandbox at a time. */
function Directory({ sandboxId }: { sandboxId: string }) {
  const [path, setPath] = useState(homeDirectory);
  const client = useQueryClient();
  const listing = useQuery({
    queryKey: ["sandboxes", sandboxId, "files", path],
    queryFn: async () => (await Sandbox.connect(sandboxId, connection)).files.list(path),
  });
  const download = useMutation({
    mutationFn: async (file: string) => {
      const sandbox = await Sandbox.connect(sandboxId, connection);
      const { url } = await sandbox.files.downloadUrl(file, { expiresIn: downloadSeconds });
      // Of the link only its path: the service may name itself by another host than this page does.
      const { pathname, search } = new URL(url);
      globalThis.location.assign(pathname + search);
    },
  });
  const entries = [...(listing.data ?? [])].sort(
    (one, other) => Number(other.isDir) - Number(one.isDir) || one.name.localeCompare(other.name),
  );
  return (
    <Stack>
      <Group align="flex-end" justify="space-between">
        <PathField key={path} path={path} onChange={setPath} />
        <Group gap="xs">
          <DialogButton
            dialog={(close) => <UploadDialog {...{ sandboxId, path }} onClose={close} />}
          >
            Upload
          </DialogButton>
          <DialogButton
            dialog={(close) => <NewDirectoryDialog {...{ sandboxId, path }} onClose={close} />}
          >
            New directory
          </DialogButton>
          <Button
            size="compact-sm"
            variant="default"
            onClick={() =>
              client.invalidateQueries({ queryKey: ["sandboxes", sandboxId, "files"] })
            }
          >
            Refresh
          </Button>
        </Group>
      </Group>
      <nav aria-label="Directories">
        <Breadcrumbs separatorMargin={4} separator="›" style={{ flexWrap: "wrap" }}>
          {pathParts(path).map((part) => (
            <Anchor
              key={part.path}
              component="button"
              type="button"
              underline="always"
              onClick={() => setPath(part.path)}
            >
              {visibleText(part.name)}
            </Anchor>
          ))}
        </Breadcrumbs>
      </nav>
      <ErrorAlert error={listing.error ?? download.error} />
      {listing.data?.length === 0 ? (
        <EmptyState
          text="This directory is empty. Upload a file here, or write one on the command line:"
          command={["oc", "exec", sandboxId, "--", `cat > ${joinPath(path, "NAME")}`, "<", "NAME"]}
        />
      ) : (
        <DataTable<DirectoryEntry>
          name={`Files in ${visibleText(path)}`}
          rows={entries}
          keyOf={({ name }) => name}
          columns={fileColumns({
            sandboxId,
            directory: path,
            onOpen: setPath,
            onDownload: (file) => download.mutate(file),
          })}
        />
      )}
      <OcCommand words={["oc", "exec", sandboxId, "--", "ls", "-la", path]} />
    </Stack>
  );
}

function PathField({ path, onChange }: { path: string; onChange: (path: string) => void }) {
  const [text, setText] = useState(path);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onChange(normalizePath(text));
      }}
    >
      <TextInput
        label="Directory"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        w={280}
        maw="100%"
      />
    </form>
  );
}
