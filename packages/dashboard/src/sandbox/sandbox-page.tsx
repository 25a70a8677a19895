import { Center, Loader, Tabs } from "@mantine/core";
import { Sandbox, type SandboxDetail } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { type ComponentType, lazy, Suspense } from "react";
import { useLocation } from "wouter";
import { Page } from "../parts/page.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";
import { SandboxActions } from "../sandboxes/sandbox-actions.tsx";
import { connection } from "../service/connection.ts";
import { SandboxOverview } from "./sandbox-overview.tsx";

const pollMilliseconds = 3_000;

const TerminalTab = lazy(async () => ({
  default: (await import("../terminal/terminal-tab.tsx")).TerminalTab,
}));
const FilesTab = lazy(async () => ({
  default: (await import("../files/files-tab.tsx")).FilesTab,
}));
const PreviewsTab = lazy(async () => ({
  default: (await import("../previews/previews-tab.tsx")).PreviewsTab,
}));
const CheckpointsTab = lazy(async () => ({
  default: (await import("../checkpoints/checkpoints-tab.tsx")).CheckpointsTab,
}));
const EgressTab = lazy(async () => ({
  default: (await import("../egress/egress-tab.tsx")).EgressTab,
}));

const tabs: readonly {
  name: string;
  label: string;
  Content: ComponentType<{ sandbox: SandboxDetail }>;
}[] = [
  { name: "overview", label: "Overview", Content: SandboxOverview },
  { name: "terminal", label: "Terminal", Content: TerminalTab },
  { name: "files", label: "Files", Content: FilesTab },
  { name: "previews", label: "Previews", Content: PreviewsTab },
  { name: "checkpoints", label: "Checkpoints", Content: CheckpointsTab },
  { name: "egress", label: "Egress", Content: EgressTab },
];

/** One sandbox. Each of its tabs has an address of its own. */
export function SandboxPage({ id, tab }: { id: string; tab: string }) {
  const [, navigate] = useLocation();
  const sandbox = useQuery({
    queryKey: ["sandboxes", id],
    queryFn: ({ signal }) => Sandbox.get(id, { ...connection, signal }),
    refetchInterval: pollMilliseconds,
  });
  const { data } = sandbox;
  return (
    <Page
      title={`Sandbox ${id}`}
      error={sandbox.error}
      actions={
        data === undefined ? null : (
          <>
            <StatusBadge status={data.status} />
            {data.status === "stopped" ? null : (
              <SandboxActions sandbox={data} onKilled={() => navigate("/sandboxes")} />
            )}
          </>
        )
      }
    >
      {data === undefined ? null : (
        <Tabs
          value={tab}
          onChange={(name) => navigate(`/sandboxes/${id}/${name ?? "overview"}`)}
          keepMounted={false}
          activateTabWithKeyboard={false}
        >
          <Tabs.List mb="md">
            {tabs.map(({ name, label }) => (
              <Tabs.Tab key={name} value={name}>
                {label}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          {tabs.map(({ name, Content }) => (
            <Tabs.Panel key={name} value={name}>
              <Suspense
                fallback={
                  <Center>
                    <Loader aria-label="Loading" />
                  </Center>
                }
              >
                <Content sandbox={data} />
              </Suspense>
            </Tabs.Panel>
          ))}
        </Tabs>
      )}
    </Page>
  );
}
