import { Text } from "@mantine/core";
import { defaults, Project } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { DialogButton } from "../parts/dialog-button.tsx";
import { Page } from "../parts/page.tsx";
import { projectAsOwner } from "../secrets/secret-owner.ts";
import { SecretsPanel } from "../secrets/secrets-panel.tsx";
import { connection } from "../service/connection.ts";
import { DeleteProjectDialog, UpdateProjectDialog } from "./project-dialogs.tsx";

export function ProjectPage({ id }: { id: string }) {
  const query = useQuery({
    queryKey: ["projects", id],
    queryFn: () => Project.get(id, connection),
  });
  const owner = useMemo(() => projectAsOwner(id), [id]);
  const project = query.data;
  return (
    <Page
      title={project === undefined ? "Project" : `Project ${project.name}`}
      error={query.error}
      actions={
        project === undefined ? null : (
          <>
            <DialogButton
              dialog={(close) => <UpdateProjectDialog project={project} onClose={close} />}
            >
              Change
            </DialogButton>
            <DialogButton
              dialog={(close) => <DeleteProjectDialog project={project} onClose={close} />}
            >
              Delete
            </DialogButton>
          </>
        )
      }
    >
      {project === undefined ? null : (
        <>
          <Text style={{ overflowWrap: "anywhere" }}>
            Its sandboxes have {project.cpuCount || defaults.cpuCount} CPU and{" "}
            {project.memoryMB || defaults.memoryMB} MB, hibernate after{" "}
            {project.timeoutSec || defaults.idleTimeoutSeconds} s, and may reach{" "}
            {project.egressAllowlist.join(", ") || "all hosts"}.
          </Text>
          <SecretsPanel owner={owner} />
        </>
      )}
    </Page>
  );
}
