import { Alert, Code, Text } from "@mantine/core";
import { OpenComputerError } from "@opencomputer/sdk";
import { visibleText } from "./visible-text.ts";

/** What was refused, in the service's own words, with what helps, if it names something; nothing while there is no error. */
export function ErrorAlert({ error }: { error: Error | null }) {
  if (error === null) return null;
  const remediation = error instanceof OpenComputerError ? error.remediation : undefined;
  return (
    <Alert role="alert" color="red" variant="outline" title="The request failed">
      {visibleText(error.message)}
      {remediation === undefined ? null : (
        <Text mt="xs" fz="sm">
          Try: <Code>{remediation}</Code>
        </Text>
      )}
    </Alert>
  );
}
