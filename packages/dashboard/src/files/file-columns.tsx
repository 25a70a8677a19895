import { Anchor, Button, Group } from "@mantine/core";
import type { DirectoryEntry } from "@opencomputer/sdk";
import type { Column } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { formatBytes } from "../parts/format-bytes.ts";
import { visibleText } from "../parts/visible-text.ts";
import { editableBytesMax } from "./decode-text.ts";
import { DeleteDialog, EditDialog } from "./file-dialogs.tsx";
import { joinPath } from "./file-paths.ts";

/** The columns of a listing of a directory: name, size, and what can be done with each entry. */
export function fileColumns({
  sandboxId,
  directory,
  onOpen,
  onDownload,
}: {
  sandboxId: string;
  directory: string;
  /** Called with the path of a directory. */
  onOpen: (path: string) => void;
  /** Called with the path of a file. */
  onDownload: (path: string) => void;
}): Column<DirectoryEntry>[] {
  return [
    {
      header: "Name",
      cell: ({ name, isDir }) =>
        isDir ? (
          <Anchor
            component="button"
            type="button"
            underline="always"
            ta="start"
            onClick={() => onOpen(joinPath(directory, name))}
          >
            {visibleText(name)}/
          </Anchor>
        ) : (
          visibleText(name)
        ),
    },
    {
      header: "Size",
      isExtra: true,
      cell: ({ isDir, size }) => (isDir ? "" : formatBytes(size)),
    },
    {
      header: "Actions",
      cell: ({ name, isDir, size }) => {
        const file = { sandboxId, path: joinPath(directory, name) };
        return (
          <Group gap={4}>
            {isDir ? null : (
              <Button
                size="compact-sm"
                variant="default"
                aria-label={`Download ${visibleText(name)}`}
                onClick={() => onDownload(file.path)}
              >
                Download
              </Button>
            )}
            {isDir || size > editableBytesMax ? null : (
              <DialogButton
                aria-label={`Edit ${visibleText(name)}`}
                dialog={(close) => <EditDialog {...file} onClose={close} />}
              >
                Edit
              </DialogButton>
            )}
            <DialogButton
              aria-label={`Delete ${visibleText(name)}`}
              dialog={(close) => <DeleteDialog {...file} isDir={isDir} onClose={close} />}
            >
              Delete
            </DialogButton>
          </Group>
        );
      },
    },
  ];
}
