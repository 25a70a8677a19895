import { type ConnectionOptions, OpenComputerError, Project, SecretStore } from "@opencomputer/sdk";

/** The methods for secrets that projects and secret stores share. */
export interface SecretOwner
  extends Pick<
    typeof Project,
    "setSecret" | "listSecretEntries" | "revokeSecret" | "deleteSecret"
  > {
  kind: "store" | "project";
}

/** Finds the secret store or project with an id. @throws {OpenComputerError} `not_found`. */
export async function findSecretOwner(
  id: string,
  connection: ConnectionOptions,
): Promise<SecretOwner> {
  if (await exists(SecretStore.get(id, connection))) {
    return { ...SecretStore, kind: "store", listSecretEntries: SecretStore.listSecrets };
  }
  if (await exists(Project.get(id, connection))) {
    return { ...Project, kind: "project" };
  }
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
