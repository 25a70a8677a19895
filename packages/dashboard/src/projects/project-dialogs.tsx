import { NumberInput, Text, Textarea, TextInput } from "@mantine/core";
import { defaults, limits, Project, type ProjectRecord } from "@opencomputer/sdk";
import { useState } from "react";
import { useLocation } from "wouter";
import { ActionDialog } from "../parts/action-dialog.tsx";
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
  const [, navigate] = useLocation();
  return (
    <ActionDialog
      title={`Delete ${project.name}`}
      submitLabel="Delete"
      command={["oc", "project", "delete", project.id]}
      isDanger
      onClose={onClose}
      onSubmit={async () => {
        await Project.delete(project.id, connection);
        navigate("/projects");
      }}
    >
      <Text>Its secrets go with it. Sandboxes that have them keep them.</Text>
    </ActionDialog>
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
      <TextInput
        label="Name"
        required
        value={form.name}
        onChange={(event) => onChange({ ...form, name: event.currentTarget.value })}
      />
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
      <Textarea
        label="Egress allowlist"
        description="Hosts that its sandboxes may reach, one in each line. Empty: all."
        autosize
        minRows={2}
        value={form.allowlist}
        onChange={(event) => onChange({ ...form, allowlist: event.currentTarget.value })}
      />
    </>
  );
}
