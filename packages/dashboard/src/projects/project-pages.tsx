import { defaults, Project } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { OwnerPage } from "../secrets/owner-page.tsx";
import { OwnersPage } from "../secrets/owners-page.tsx";
import { projectAsOwner } from "../secrets/secret-owner.ts";
import { connection } from "../service/connection.ts";
import {
  CreateProjectDialog,
  DeleteProjectDialog,
  UpdateProjectDialog,
} from "./project-dialogs.tsx";

export function ProjectsPage() {
  const query = useQuery({ queryKey: ["projects"], queryFn: () => Project.list(connection) });
  return (
    <OwnersPage
      title="Projects"
      path="/projects"
      query={query}
      createLabel="Create a project"
      createDialog={(close) => <CreateProjectDialog onClose={close} />}
      empty={{
        text: "There are no projects. A project has defaults and secrets for the sandboxes that name it:",
        command: ["oc", "project", "create", "--name", "my-project", "--memory", "2048"],
      }}
    />
  );
}

export function ProjectPage({ id }: { id: string }) {
  const query = useQuery({
    queryKey: ["projects", id],
    queryFn: () => Project.get(id, connection),
  });
  const owner = useMemo(() => projectAsOwner(id), [id]);
  return (
    <OwnerPage
      kind="Project"
      query={query}
      owner={owner}
      updateDialog={(project, close) => <UpdateProjectDialog project={project} onClose={close} />}
      deleteDialog={(project, close) => <DeleteProjectDialog project={project} onClose={close} />}
      describe={({ cpuCount, memoryMB, timeoutSec, egressAllowlist }) => (
        <>
          Its sandboxes have {cpuCount || defaults.cpuCount} CPU and {memoryMB || defaults.memoryMB}{" "}
          MB, hibernate after {timeoutSec || defaults.idleTimeoutSeconds} s, and may reach{" "}
          {egressAllowlist.join(", ") || "all hosts"}.
        </>
      )}
    />
  );
}
