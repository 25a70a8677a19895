import { Button, Paper, Stack, Text } from "@mantine/core";
import type { SandboxDetail } from "@opencomputer/sdk";
import { type ReactNode, useState } from "react";

/** Content that uses the sandbox, and so would wake it: of one that is hibernated it asks first. */
export function AwakeOnly({ sandbox, children }: { sandbox: SandboxDetail; children: ReactNode }) {
  const [mayWake, setMayWake] = useState(false);
  if (sandbox.status === "stopped") return <Text>The sandbox was killed or has ended.</Text>;
  if (sandbox.status === "running" || mayWake) return children;
  return (
    <Paper withBorder p="md">
      <Stack align="flex-start">
        <Text>The sandbox is hibernated. Opening this wakes it.</Text>
        <Button variant="default" onClick={() => setMayWake(true)}>
          Wake and open
        </Button>
      </Stack>
    </Paper>
  );
}
