import { Textarea } from "@mantine/core";
import { Sandbox, type SandboxDetail } from "@opencomputer/sdk";
import { useState } from "react";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { pairsSoFar, parsePairs } from "../parts/parse-lines.ts";
import { connection } from "../service/connection.ts";
import { tagChanges, tagCommands } from "./tag-changes.ts";

/** Changes the tags that were edited, so that what others change meanwhile stays. */
export function TagsDialog({
  sandbox: { sandboxID, tags },
  onClose,
}: {
  sandbox: SandboxDetail;
  onClose: () => void;
}) {
  // Those that the text began with: the sandbox is read again while it is edited.
  const [before] = useState(tags);
  const [text, setText] = useState(() =>
    Object.entries(before)
      .map(([key, value]) => `${key}=${value}`)
      .join("\n"),
  );
  const [command, furtherCommand] = tagCommands(sandboxID, tagChanges(before, pairsSoFar(text)));
  return (
    <ActionDialog
      title={`Tags of ${sandboxID}`}
      submitLabel="Save"
      command={command}
      furtherCommand={furtherCommand}
      onClose={onClose}
      onSubmit={async () => {
        const changes = tagChanges(before, parsePairs(text));
        if (Object.keys(changes).length === 0) return;
        await (await Sandbox.connect(sandboxID, connection)).updateTags(changes);
      }}
    >
      <Textarea
        label="Tags"
        description="One KEY=VALUE per line. Only the tags that you change, add or remove are changed."
        autosize
        minRows={3}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
    </ActionDialog>
  );
}
