import { NumberInput } from "@mantine/core";
import { defaults, limits, Project, type ProjectRecord } from "@opencomputer/sdk";
import { useState } from "react";
import { useLocation } from "wouter";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { DeleteOwnerDialog } from "../secrets/delete-owner-dialog.tsx";
import { AllowlistField, NameField } from "../secrets/owner-fields.tsx";
import { connection } from "../service/connection.ts";
import { type ProjectForm, projectCommand, projectFields, projectForm } from "./project-form.ts";

export function CreateProjectDialog({ onClose }: { onClose: () => void }) {
  const [form, setForm] = useState(projectForm());
  const [, navigate] = useLocation();
  return (
    <ActionDialog
      title="Create a project"
      submitLabel="Create"
      command={projectCommand(form)}
      onClose={onClose}
      onSubmit={async () => {
        const project = await Project.create({ ...connection, ...projectFields(form) });
        navigate(`/projects/${project.id}`);
      }}
    >
      <ProjectFields form={form} onChange={setForm} />
    </ActionDialog>
  );
}

export function UpdateProjectDialog({
  project,
  onClose,
}: {
  project: ProjectRecord;
  onClose: () => void;
}) {
  const [form, setForm] = useState(projectForm(project));
  return (
    <ActionDialog
      title={`Change ${project.name}`}
      submitLabel="Save"
      command={projectCommand(form, project.id)}
      onClose={onClose}
      onSubmit={() => Project.update(project.id, { ...connection, ...projectFields(form) })}
    >
      <ProjectFields form={form} onChange={setForm} />
    </ActionDialog>
  );
}

export function DeleteProjectDialog({
  project,
  onClose,
}: {
  project: ProjectRecord;
  onClose: () => void;
}) {
  return (
    <DeleteOwnerDialog
      name={project.name}
      command={["oc", "project", "delete", project.id]}
      listPath="/projects"
      remove={() => Project.delete(project.id, connection)}
      onClose={onClose}
    />
  );
}

function ProjectFields({
  form,
  onChange,
}: {
  form: ProjectForm;
  onChange: (form: ProjectForm) => void;
}) {
  const number = (field: "cpuCount" | "memoryMB" | "timeoutSec") => ({
    value: form[field],
    onChange: (value: string | number) => onChange({ ...form, [field]: String(value) }),
    allowDecimal: false,
    allowNegative: false,
  });
  return (
    <>
      <NameField value={form.name} onChange={(name) => onChange({ ...form, name })} />
      <NumberInput
        label="CPUs"
        description={`${limits.cpuCountMin} to ${limits.cpuCountMax}. Default ${defaults.cpuCount}`}
        {...number("cpuCount")}
      />
      <NumberInput
        label="Memory in MB"
        description={`${limits.memoryMBMin} to ${limits.memoryMBMax}. Default ${defaults.memoryMB}`}
        {...number("memoryMB")}
      />
      <NumberInput
        label="Idle time-out in seconds"
        description={`Default ${defaults.idleTimeoutSeconds}`}
        {...number("timeoutSec")}
      />
      <AllowlistField
        value={form.allowlist}
        onChange={(allowlist) => onChange({ ...form, allowlist })}
      />
    </>
  );
}
