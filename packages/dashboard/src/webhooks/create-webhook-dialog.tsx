import { Modal, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { eventTypeSchema } from "@opencomputer/sdk";
import { useState } from "react";
import { OcCommand } from "../oc-command/oc-command.tsx";

/** The command that creates a webhook. Its response has the secret that signs, which no browser gets. */
export function CreateWebhookDialog({ onClose }: { onClose: () => void }) {
  const [url, setUrl] = useState("");
  const [type, setType] = useState("");
  return (
    <Modal
      opened
      onClose={onClose}
      title="Create a webhook"
      size="lg"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack>
        <Text>
          The secret with which a receiver verifies events is printed only once, when the webhook is
          created. This dashboard never shows one: create the webhook on the command line.
        </Text>
        <TextInput
          label="URL"
          description="https or http URL to which events are posted"
          spellCheck={false}
          value={url}
          onChange={(event) => setUrl(event.currentTarget.value)}
        />
        <NativeSelect
          label="Events"
          description="On the command line, --type takes several types, separated by commas"
          data={[{ value: "", label: "All types" }, ...eventTypeSchema.options]}
          value={type}
          onChange={(event) => setType(event.currentTarget.value)}
        />
        <OcCommand
          words={[
            ...["oc", "webhook", "create", "--url", url || "https://example.com/hook"],
            ...(type === "" ? [] : ["--type", type]),
          ]}
        />
      </Stack>
    </Modal>
  );
}
