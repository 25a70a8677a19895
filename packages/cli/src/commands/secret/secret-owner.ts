import { type ConnectionOptions, OpenComputerError, Project, SecretStore } from "@opencomputer/sdk";

/** The methods for secrets that projects and secret stores share. */
export type SecretOwner =
  | Pick<typeof SecretStore, "setSecret" | "listSecrets" | "revokeSecret" | "deleteSecret">
  | Pick<typeof Project, "setSecret" | "listSecrets" | "revokeSecret" | "deleteSecret">;

/** Finds the secret store or project with an id. @throws {OpenComputerError} `not_found`. */
export async function findSecretOwner(
  id: string,
  connection: ConnectionOptions,
): Promise<SecretOwner> {
  if (await exists(SecretStore.get(id, connection))) return SecretStore;
  if (await exists(Project.get(id, connection))) return Project;
  throw new OpenComputerError(
    "not_found",
    `There is no project or secret store with the id ${id}: list ids with \`oc project list\` and \`oc secret-store list\``,
    { status: 404 },
  );
}

async function exists(getting: Promise<unknown>): Promise<boolean> {
  try {
    await getting;
    return true;
  } catch (error) {
    if (error instanceof OpenComputerError && error.status === 404) return false;
    throw error;
  }
}
