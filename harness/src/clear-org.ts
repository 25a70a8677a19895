import { Project, Sandbox, SecretStore, Webhook } from "@opencomputer/sdk";

interface Connection {
  apiUrl: string;
  apiKey: string;
}

/** Kills all sandboxes of an organization. */
export async function killSandboxes(connection: Connection): Promise<void> {
  for (const { sandboxID } of await Sandbox.list(connection)) {
    await Sandbox.kill(sandboxID, connection);
  }
}

/** Kills all sandboxes of an organization and deletes its projects and secret stores. */
export async function clearOrg(connection: Connection): Promise<void> {
  await killSandboxes(connection);
  for (const { id } of await Project.list(connection)) await Project.delete(id, connection);
  for (const { id } of await SecretStore.list(connection)) await SecretStore.delete(id, connection);
  for (const { id } of await Webhook.list(connection)) await Webhook.delete(id, connection);
}
