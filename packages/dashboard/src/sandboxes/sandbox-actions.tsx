import { Button, Menu, NumberInput, Text } from "@mantine/core";
import { limits, Sandbox, type SandboxSummary } from "@opencomputer/sdk";
import { type ReactNode, useState } from "react";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { connection } from "../service/connection.ts";

type Action = "hibernate" | "wake" | "scale" | "reboot" | "kill";
type DialogProps = { sandbox: SandboxSummary; onClose: () => void; onKilled?: () => void };

const dialogs: Record<Action, (props: DialogProps) => ReactNode> = {
  hibernate: HibernateDialog,
  wake: WakeDialog,
  scale: ScaleDialog,
  reboot: RebootDialog,
  kill: KillDialog,
};

/** A menu of what can be done to a sandbox in its present state. */
export function SandboxActions({
  sandbox,
  onKilled = () => undefined,
}: {
  sandbox: SandboxSummary;
  onKilled?: () => void;
}) {
  const [chosen, setChosen] = useState<Action>();
  const Dialog = chosen === undefined ? undefined : dialogs[chosen];
  const item = (action: Action, label: string) => (
    <Menu.Item onClick={() => setChosen(action)}>{label}</Menu.Item>
  );
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button
            size="compact-sm"
            variant="default"
            aria-label={`Actions of ${sandbox.sandboxID}`}
          >
            Actions
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {sandbox.status === "running" ? item("hibernate", "Hibernate…") : item("wake", "Wake…")}
          {item("scale", "Scale…")}
          {item("reboot", "Reboot…")}
          {item("kill", "Kill…")}
        </Menu.Dropdown>
      </Menu>
      {Dialog === undefined ? null : (
        <Dialog sandbox={sandbox} onKilled={onKilled} onClose={() => setChosen(undefined)} />
      )}
    </>
  );
}

const connect = ({ sandboxID }: SandboxSummary) => Sandbox.connect(sandboxID, connection);

function HibernateDialog({ sandbox, onClose }: DialogProps) {
  return (
    <ActionDialog
      title={`Hibernate ${sandbox.sandboxID}`}
      submitLabel="Hibernate"
      command={["oc", "sandbox", "hibernate", sandbox.sandboxID]}
      onClose={onClose}
      onSubmit={async () => (await connect(sandbox)).hibernate()}
    >
      <Text>
        Its memory and processes are saved, and it stops using CPU and memory of the host. Its next
        use wakes it.
      </Text>
    </ActionDialog>
  );
}

function WakeDialog({ sandbox, onClose }: DialogProps) {
  return (
    <ActionDialog
      title={`Wake ${sandbox.sandboxID}`}
      submitLabel="Wake"
      command={["oc", "sandbox", "wake", sandbox.sandboxID]}
      onClose={onClose}
      onSubmit={async () => (await connect(sandbox)).wake()}
    >
      <Text>Its processes continue where they were.</Text>
    </ActionDialog>
  );
}

function ScaleDialog({ sandbox, onClose }: DialogProps) {
  const [memoryMB, setMemoryMB] = useState(String(sandbox.memoryMB));
  return (
    <ActionDialog
      title={`Scale ${sandbox.sandboxID}`}
      submitLabel="Scale"
      command={["oc", "sandbox", "scale", sandbox.sandboxID, memoryMB]}
      onClose={onClose}
      onSubmit={async () => (await connect(sandbox)).scale({ memoryMB: Number(memoryMB) })}
    >
      <NumberInput
        label="Memory in MB"
        description={`${limits.memoryMBMin} to ${limits.memoryMBMax}, while it runs. Its share of CPU time is adjusted with it.`}
        required
        allowDecimal={false}
        allowNegative={false}
        value={memoryMB}
        onChange={(value) => setMemoryMB(String(value))}
      />
    </ActionDialog>
  );
}

function RebootDialog({ sandbox, onClose }: DialogProps) {
  return (
    <ActionDialog
      title={`Reboot ${sandbox.sandboxID}`}
      submitLabel="Reboot"
      command={["oc", "sandbox", "reboot", sandbox.sandboxID]}
      isDanger
      onClose={onClose}
      onSubmit={async () => (await connect(sandbox)).reboot()}
    >
      <Text>Its processes end, and it boots from its disk. Files, tokens and policy are kept.</Text>
    </ActionDialog>
  );
}

function KillDialog({ sandbox, onClose, onKilled }: DialogProps) {
  return (
    <ActionDialog
      title={`Kill ${sandbox.sandboxID}`}
      submitLabel="Kill"
      command={["oc", "kill", sandbox.sandboxID]}
      isDanger
      onClose={onClose}
      onSubmit={async () => {
        await Sandbox.kill(sandbox.sandboxID, connection);
        onKilled?.();
      }}
    >
      <Text>
        Its processes, memory and files are deleted permanently. Checkpoints and forks are kept.
      </Text>
    </ActionDialog>
  );
}
