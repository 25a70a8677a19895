import { FileInput, Text, Textarea, TextInput } from "@mantine/core";
import { Sandbox } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { visibleText } from "../parts/visible-text.ts";
import { connection } from "../service/connection.ts";
import { decodeText } from "./decode-text.ts";
import { joinPath } from "./file-paths.ts";

interface Place {
  sandboxId: string;
  /** Path of the directory that something is added to, or of the file itself. */
  path: string;
  onClose: () => void;
}

const filesOf = async (sandboxId: string) => (await Sandbox.connect(sandboxId, connection)).files;

export function UploadDialog({ sandboxId, path, onClose }: Place) {
  const [chosen, setChosen] = useState<File[]>([]);
  const name = chosen[0]?.name ?? "NAME";
  return (
    <ActionDialog
      title={`Upload to ${visibleText(path)}`}
      submitLabel="Upload"
      command={["oc", "exec", sandboxId, "--", `cat > "${joinPath(path, name)}"`, "<", name]}
      onClose={onClose}
      onSubmit={async () => {
        const files = await filesOf(sandboxId);
        for (const file of chosen) await files.write(joinPath(path, file.name), file);
      }}
    >
      <FileInput
        label="Files"
        description="Of any size. Existing files with the same names are replaced."
        placeholder="Choose files"
        multiple
        required
        value={chosen}
        onChange={setChosen}
      />
    </ActionDialog>
  );
}

export function NewDirectoryDialog({ sandboxId, path, onClose }: Place) {
  const [name, setName] = useState("");
  return (
    <ActionDialog
      title={`New directory in ${visibleText(path)}`}
      submitLabel="Create"
      command={["oc", "exec", sandboxId, "--", "mkdir", "-p", joinPath(path, name)]}
      onClose={onClose}
      onSubmit={async () => (await filesOf(sandboxId)).makeDir(joinPath(path, name))}
    >
      <TextInput
        label="Name"
        required
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
    </ActionDialog>
  );
}

export function DeleteDialog({ sandboxId, path, isDir, onClose }: Place & { isDir: boolean }) {
  return (
    <ActionDialog
      title={`Delete ${visibleText(path)}`}
      submitLabel="Delete"
      command={["oc", "exec", sandboxId, "--", "rm", "-r", path]}
      isDanger
      onClose={onClose}
      onSubmit={async () => (await filesOf(sandboxId)).remove(path)}
    >
      <Text>
        {isDir ? "The directory is deleted with everything in it." : "The file is deleted."}
      </Text>
    </ActionDialog>
  );
}

/** Edits a text file. Another file is not opened, because saving it would change it. */
export function EditDialog({ sandboxId, path, onClose }: Place) {
  const [edited, setEdited] = useState<string>();
  const file = useQuery({
    queryKey: ["file", sandboxId, path],
    queryFn: async () => ({
      text: decodeText(await (await filesOf(sandboxId)).readBytes(path)),
    }),
    gcTime: 0,
    // What is typed must not be replaced by another reading.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  const text = edited ?? file.data?.text;
  return (
    <ActionDialog
      title={`Edit ${visibleText(path)}`}
      submitLabel="Save"
      size="xl"
      command={["oc", "exec", sandboxId, "--", "cat", path]}
      onClose={onClose}
      onSubmit={async () => {
        if (text === undefined) throw new Error("This file is not text: download it instead");
        await (await filesOf(sandboxId)).write(path, text);
      }}
    >
      <ErrorAlert error={file.error} />
      {file.data !== undefined && file.data.text === undefined ? (
        <Text>This file is not UTF-8 text. Download it instead.</Text>
      ) : (
        <Textarea
          label="Content"
          disabled={file.isPending}
          rows={16}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
          spellCheck={false}
          value={text ?? ""}
          onChange={(event) => setEdited(event.currentTarget.value)}
        />
      )}
    </ActionDialog>
  );
}
