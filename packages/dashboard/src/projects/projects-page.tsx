import { Anchor } from "@mantine/core";
import { Project, type ProjectRecord } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { DataTable } from "../parts/data-table.tsx";
import { DialogButton } from "../parts/dialog-button.tsx";
import { EmptyState } from "../parts/empty-state.tsx";
import { Page } from "../parts/page.tsx";
import { When } from "../parts/when.tsx";
import { connection } from "../service/connection.ts";
import { CreateProjectDialog } from "./project-dialogs.tsx";

export function ProjectsPage() {
  const projects = useQuery({ queryKey: ["projects"], queryFn: () => Project.list(connection) });
  return (
    <Page
      title="Projects"
      error={projects.error}
      actions={
        <DialogButton
          size="sm"
          variant="filled"
          dialog={(close) => <CreateProjectDialog onClose={close} />}
        >
          Create a project
        </DialogButton>
      }
    >
      {projects.data?.length === 0 ? (
        <EmptyState
          text="There are no projects. One has defaults and secrets for the sandboxes that name it:"
          command={["oc", "project", "create", "--name", "my-project", "--memory", "2048"]}
        />
      ) : (
        <DataTable<ProjectRecord>
          name="Projects"
          rows={projects.data ?? []}
          keyOf={({ id }) => id}
          columns={[
            {
              header: "Name",
              cell: ({ id, name }) => (
                <Anchor component={Link} href={`/projects/${id}`} underline="always">
                  {name}
                </Anchor>
              ),
            },
            {
              header: "Egress allowlist",
              cell: ({ egressAllowlist }) => egressAllowlist.join(", ") || "all hosts",
            },
            { header: "Changed", isExtra: true, cell: ({ updatedAt }) => <When at={updatedAt} /> },
          ]}
        />
      )}
    </Page>
  );
}
