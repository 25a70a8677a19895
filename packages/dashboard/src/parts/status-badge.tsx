import { Badge, ColorSwatch } from "@mantine/core";

const colors: Readonly<Record<string, string>> = {
  running: "green.7",
  ready: "green.7",
  allowed: "green.7",
  enabled: "green.7",
  delivered: "green.7",
  hibernated: "blue.6",
  processing: "yellow.6",
  building: "yellow.6",
  pending: "yellow.6",
  starting: "yellow.6",
  restarting: "yellow.6",
  failing: "yellow.6",
  failed: "red.7",
  revoked: "red.7",
  refused: "red.7",
};

/** A state as a word; its color only repeats it. */
export function StatusBadge({ status }: { status: string }) {
  const color = `var(--mantine-color-${(colors[status] ?? "gray.6").replace(".", "-")})`;
  return (
    <Badge
      variant="default"
      tt="none"
      fw={500}
      miw="max-content"
      leftSection={<ColorSwatch size={8} color={color} withShadow={false} aria-hidden />}
    >
      {status}
    </Badge>
  );
}
