import { Group, Stack, Title } from "@mantine/core";
import { type ReactNode, useEffect, useRef } from "react";
import { ErrorAlert } from "./error-alert.tsx";

/** One page: its heading, which has the focus after a change of page, its actions, and its content. */
export function Page({
  title,
  actions,
  error = null,
  children,
}: {
  title: string;
  actions?: ReactNode;
  error?: Error | null;
  children: ReactNode;
}) {
  usePageTitle(title);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2" ref={heading} tabIndex={-1} style={{ outline: "none" }}>
          {title}
        </Title>
        <Group gap="xs">{actions}</Group>
      </Group>
      <ErrorAlert error={error} />
      {children}
    </Stack>
  );
}

/** Names the page in the browser's tab and history, which is what a screen reader announces first. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} – OpenComputer`;
  }, [title]);
}
