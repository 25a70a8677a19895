import { Button, Group, Stack, Text } from "@mantine/core";
import { Sandbox, type SandboxDetail } from "@opencomputer/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { AwakeOnly } from "../sandboxes/awake-only.tsx";
import { connection } from "../service/connection.ts";
import { openTerminal } from "./open-terminal.ts";
import { TerminalView } from "./terminal-view.tsx";

export function TerminalTab({ sandbox }: { sandbox: SandboxDetail }) {
  return (
    <AwakeOnly sandbox={sandbox}>
      <OpenTerminal sandboxId={sandbox.sandboxID} />
    </AwakeOnly>
  );
}

/** The newest terminal that runs in the sandbox, or a new one. It continues when the page is left. */
function OpenTerminal({ sandboxId }: { sandboxId: string }) {
  const [ended, setEnded] = useState<string>();
  const nextButton = useRef<HTMLButtonElement>(null);
  const terminal = useQuery({
    queryKey: ["sandboxes", sandboxId, "terminal"],
    queryFn: async () => {
      const sandbox = await Sandbox.connect(sandboxId, connection);
      const running = (await sandbox.pty.list()).filter((one) => one.running);
      return running.at(-1)?.sessionID ?? (await openTerminal(sandboxId));
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const restarted = useMutation({
    mutationFn: () => openTerminal(sandboxId),
    onSuccess: () => setEnded(undefined),
  });
  const sessionId = restarted.data ?? terminal.data;
  return (
    <Stack>
      <ErrorAlert error={terminal.error ?? restarted.error} />
      {sessionId === undefined ? null : (
        <TerminalView
          key={sessionId}
          sandboxId={sandboxId}
          sessionId={sessionId}
          onEnd={setEnded}
          onLeave={() => nextButton.current?.focus()}
        />
      )}
      <Group>
        <Button
          ref={nextButton}
          variant="default"
          size="compact-sm"
          loading={restarted.isPending}
          onClick={() => restarted.mutate()}
        >
          New terminal
        </Button>
        <Text size="sm" role="status">
          {ended ?? "F6 leaves the terminal. It continues when you leave this page."}
        </Text>
      </Group>
      <OcCommand
        words={[
          "oc",
          "shell",
          sandboxId,
          ...(sessionId === undefined ? [] : ["--attach", sessionId]),
        ]}
      />
    </Stack>
  );
}
