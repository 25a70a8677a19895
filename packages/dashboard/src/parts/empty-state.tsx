import { Paper, Stack, Text } from "@mantine/core";
import { OcCommand } from "../oc-command/oc-command.tsx";

/** What a page shows that has nothing yet: what belongs there, and the command that makes the first one. */
export function EmptyState({ text, command }: { text: string; command?: readonly string[] }) {
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Text>{text}</Text>
        {command === undefined ? null : <OcCommand words={command} />}
      </Stack>
    </Paper>
  );
}
