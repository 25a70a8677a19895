import { Button, Group, List, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type EgressExplanation, EgressLog } from "@opencomputer/sdk";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { OcCommand } from "../oc-command/oc-command.tsx";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";
import { connection } from "../service/connection.ts";
import { describeWithheld } from "./describe-entry.ts";

/** Asks what would happen to a request, and which rule decides. Nothing is sent to its host. */
export function ExplainDialog({ sandboxId, onClose }: { sandboxId: string; onClose: () => void }) {
  const [url, setUrl] = useState("");
  const [method, setMethod] = useState("GET");
  const explaining = useMutation({
    mutationFn: () => new EgressLog(sandboxId, connection).explain(url, { method }),
  });
  return (
    <Modal
      opened
      onClose={onClose}
      title="Explain a URL"
      size="lg"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          explaining.mutate();
        }}
      >
        <Stack>
          <TextInput
            label="URL"
            description="https://, http://, or tcp:// with a port. Nothing is sent to its host."
            required
            spellCheck={false}
            value={url}
            onChange={(event) => setUrl(event.currentTarget.value)}
          />
          <TextInput
            label="Method"
            required
            spellCheck={false}
            value={method}
            onChange={(event) => setMethod(event.currentTarget.value)}
          />
          <OcCommand
            words={[
              ...["oc", "explain", sandboxId, url || "URL"],
              ...(method === "GET" || method === "" ? [] : ["--method", method]),
            ]}
          />
          <ErrorAlert error={explaining.error} />
          <div role="status">
            {explaining.data === undefined ? null : <Explanation explanation={explaining.data} />}
          </div>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Done
            </Button>
            <Button type="submit" loading={explaining.isPending}>
              Explain
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Explanation({ explanation }: { explanation: EgressExplanation }) {
  const { decision, rule, entry, reason, protocol, host, port, secrets } = explanation;
  return (
    <Stack gap="xs" style={{ overflowWrap: "anywhere" }}>
      <Group gap="xs">
        <StatusBadge status={decision} />
        <Text size="sm">{`${protocol}://${host}:${port}`}</Text>
      </Group>
      <Text size="sm">
        Rule: {rule}
        {entry === null ? "" : ` (${entry})`}. {reason}
      </Text>
      {secrets.length === 0 ? (
        <Text size="sm">No secret is used.</Text>
      ) : (
        <List size="sm">
          {secrets.map(({ name, substituteIn, withheld }) => (
            <List.Item key={name}>
              {withheld === null
                ? `${name} is substituted in ${substituteIn.join(" and ")}`
                : `${name} is withheld: ${describeWithheld(withheld)}`}
            </List.Item>
          ))}
        </List>
      )}
    </Stack>
  );
}
