import { Code, Group } from "@mantine/core";

/** Tags or metadata, each as `key=value`. */
export function Labels({ entries }: { entries: Readonly<Record<string, string>> }) {
  return (
    <Group gap={4}>
      {Object.entries(entries).map(([key, value]) => (
        <Code key={key}>{`${key}=${value}`}</Code>
      ))}
    </Group>
  );
}
