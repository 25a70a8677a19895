import { Button, Code, Group } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { useId } from "react";
import { quoteWords } from "./quote-words.ts";

/** The command line that does the same, with a button that copies it. */
export function OcCommand({ words }: { words: readonly string[] }) {
  const line = quoteWords(words);
  const { copy, copied } = useClipboard();
  const id = useId();
  return (
    <Group gap="xs" align="flex-start" wrap="nowrap">
      <Code
        id={id}
        flex={1}
        py={6}
        style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap", userSelect: "all" }}
      >
        {line}
      </Code>
      {/* A page that came without TLS from another machine has no clipboard: a click selects the line. */}
      {globalThis.isSecureContext ? (
        <Button
          size="compact-sm"
          variant="default"
          aria-describedby={id}
          onClick={() => copy(line)}
        >
          {copied ? "Copied" : "Copy"}
        </Button>
      ) : null}
    </Group>
  );
}
