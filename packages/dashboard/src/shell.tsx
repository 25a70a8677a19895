import { AppShell, Burger, Button, Center, Group, Loader, NavLink, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { DashboardSession } from "@opencomputer/protocol/api";
import { useQueryClient } from "@tanstack/react-query";
import { Suspense } from "react";
import { Link, useLocation } from "wouter";
import { Pages } from "./pages.tsx";
import { sessionQueryKey } from "./service/query-client.ts";
import { signOut } from "./session/session.ts";

const sections = [
  { path: "/sandboxes", label: "Sandboxes" },
  { path: "/secret-stores", label: "Secret stores" },
  { path: "/projects", label: "Projects" },
  { path: "/images", label: "Images" },
  { path: "/events", label: "Events" },
  { path: "/webhooks", label: "Webhooks" },
  { path: "/keys", label: "API keys" },
  { path: "/node", label: "Node" },
];

/** What surrounds every page: the sections, and who has signed in. */
export function Shell({ session }: { session: DashboardSession }) {
  const [isOpen, menu] = useDisclosure(false);
  const [location] = useLocation();
  const client = useQueryClient();
  const end = async () => {
    await signOut();
    client.setQueryData(sessionQueryKey, null);
    // What was read in the session is not kept for the next one.
    client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQueryKey[0] });
  };
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 200, breakpoint: "sm", collapsed: { mobile: !isOpen } }}
      padding="md"
      transitionDuration={0}
    >
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              hiddenFrom="sm"
              size="sm"
              opened={isOpen}
              onClick={menu.toggle}
              aria-label="Sections"
              aria-expanded={isOpen}
            />
            <Text fw={600}>OpenComputer</Text>
          </Group>
          <Group gap="sm" wrap="nowrap">
            <Text size="sm" visibleFrom="sm">
              Key {session.keyName} ({session.keyPrefix}…)
            </Text>
            <Button size="compact-sm" variant="default" onClick={end}>
              Sign out
            </Button>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Sections">
        {sections.map(({ path, label }) => {
          const isHere = location === path || location.startsWith(`${path}/`);
          return (
            <NavLink
              key={path}
              component={Link}
              href={path}
              label={label}
              active={isHere}
              variant="filled"
              {...(isHere ? { "aria-current": "page" as const } : {})}
              onClick={menu.close}
            />
          );
        })}
      </AppShell.Navbar>
      <AppShell.Main>
        <Suspense
          fallback={
            <Center>
              <Loader aria-label="Loading" />
            </Center>
          }
        >
          <Pages />
        </Suspense>
      </AppShell.Main>
    </AppShell>
  );
}
