import { Code, SimpleGrid, Text, Textarea, TextInput } from "@mantine/core";
import { Snapshots } from "@opencomputer/sdk";
import { useState } from "react";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { connection } from "../service/connection.ts";
import { createSnapshotCommand, emptyImageForm, imageOf } from "./image-form.ts";

/** Lines of the log that are shown; a build prints up to megabytes. */
const shownLinesMax = 500;

/** Builds an image and names it. The log is shown as it is printed. */
export function CreateImageDialog({ onClose }: { onClose: () => void }) {
  const [form, setForm] = useState(emptyImageForm);
  const [log, setLog] = useState<readonly string[]>([]);
  const field = (name: keyof typeof form) => ({
    value: form[name],
    onChange: (event: { currentTarget: { value: string } }) => {
      const { value } = event.currentTarget;
      setForm((before) => ({ ...before, [name]: value }));
    },
  });
  return (
    <ActionDialog
      title="Build an image"
      submitLabel="Build"
      size="xl"
      command={createSnapshotCommand(form)}
      onClose={onClose}
      onSubmit={async () => {
        setLog([]);
        await new Snapshots(connection).create({
          name: form.name,
          image: imageOf(form),
          onBuildLog: ({ message }) => setLog((lines) => [...lines, message].slice(-shownLinesMax)),
        });
      }}
    >
      <TextInput
        label="Name"
        description="Of the snapshot, by which new sandboxes start from the image"
        required
        {...field("name")}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <Textarea label="Debian packages" autosize {...field("aptPackages")} />
        <Textarea label="Python packages" autosize {...field("pipPackages")} />
        <Textarea
          label="Variables"
          description="One NAME=VALUE per line"
          autosize
          {...field("variables")}
        />
        <TextInput
          label="Working directory"
          description="Absolute, or below /home/sandbox"
          {...field("workdir")}
        />
      </SimpleGrid>
      <Textarea
        label="Commands"
        description="One per line. They run as root, after everything above."
        autosize
        minRows={2}
        {...field("commands")}
      />
      {log.length === 0 ? null : (
        <div>
          <Text size="sm" id="build-log">
            Build log
          </Text>
          <Code
            block
            mah={220}
            style={{ overflow: "auto" }}
            // A region that scrolls can be reached by the keyboard.
            tabIndex={0}
            role="log"
            aria-labelledby="build-log"
          >
            {log.join("\n")}
          </Code>
        </div>
      )}
    </ActionDialog>
  );
}
