import { Button, Code, Group, Modal, Stack, Text, Title } from "@mantine/core";
import { EgressLog, type EgressSuggestion, type SandboxDetail } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { When } from "../parts/when.tsx";
import { connection } from "../service/connection.ts";

/** The smallest allowlist for what a sandbox did. */
export function SuggestionDialog({
  sandbox: { sandboxID },
  onClose,
}: {
  sandbox: SandboxDetail;
  onClose: () => void;
}) {
  const suggestion = useQuery({
    queryKey: ["sandboxes", sandboxID, "egress-suggestion"],
    queryFn: ({ signal }) => new EgressLog(sandboxID, connection).suggest({ signal }),
    gcTime: 0,
  });
  return (
    <Modal
      opened
      onClose={onClose}
      title="Suggest an allowlist"
      size="lg"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack>
        <ErrorAlert error={suggestion.error} />
        {suggestion.data === undefined ? null : <Suggestion suggestion={suggestion.data} />}
        <OcCommand words={["oc", "egress", sandboxID, "--suggest"]} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Done
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Suggestion({ suggestion }: { suggestion: EgressSuggestion }) {
  const { egressAllowlist, perSecretAllowedHosts, exchangeCount, since, isIncomplete } = suggestion;
  if (since === null) {
    return <Text>The log has no exchanges yet. Let the sandbox do its work, and ask again.</Text>;
  }
  const ofSecrets = Object.entries(perSecretAllowedHosts).map(
    ([name, hosts]) => `${name}: ${hosts.join(", ")}`,
  );
  return (
    <>
      <Text size="sm">
        From {exchangeCount} exchanges since <When at={since} />.
        {isIncomplete
          ? " Some exchanges of that time were left out of the log: hosts may be missing."
          : ""}
      </Text>
      <Lines title="Egress allowlist" lines={egressAllowlist} />
      <Lines title="Allowed hosts of each secret" lines={ofSecrets} />
      <Lines title="Refused, and not in the lists above" lines={suggestion.refused.map(counted)} />
      <Lines
        title="Allowed but never reached, and not in the lists above"
        lines={suggestion.unreached.map(counted)}
      />
      <Text size="sm">Set them with “Change” on the page of its secret store, one per line.</Text>
    </>
  );
}

function counted({ entry, count }: EgressSuggestion["refused"][number]): string {
  return `${entry} (${count}x)`;
}

function Lines({ title, lines }: { title: string; lines: readonly string[] }) {
  return (
    <div>
      <Title order={3} size="h5">
        {title}
      </Title>
      {lines.length === 0 ? (
        <Text size="sm">none</Text>
      ) : (
        <Code block mah={200} style={{ overflow: "auto" }} tabIndex={0}>
          {lines.join("\n")}
        </Code>
      )}
    </div>
  );
}
