import { type AwsCredentials, Project, type SecretEntry, SecretStore } from "@opencomputer/sdk";
import { connection } from "../service/connection.ts";

interface Limits {
  allowedHosts: readonly string[] | undefined;
  substituteIn: readonly string[] | undefined;
}

/** What has secrets: a store, or a project. */
export interface SecretOwner {
  id: string;
  list(): Promise<SecretEntry[]>;
  /** Resolves with a warning, where the service has one. */
  set(name: string, value: string | AwsCredentials, limits: Limits): Promise<string | undefined>;
  revoke(name: string): Promise<unknown>;
  remove(name: string): Promise<void>;
}

export function storeAsOwner(id: string): SecretOwner {
  return {
    id,
    list: () => SecretStore.listSecrets(id, connection),
    async set(name, value, limits) {
      const set = await SecretStore.setSecret(id, name, value, { ...connection, ...limits });
      return set.warning;
    },
    revoke: (name) => SecretStore.revokeSecret(id, name, connection),
    remove: (name) => SecretStore.deleteSecret(id, name, connection),
  };
}

export function projectAsOwner(id: string): SecretOwner {
  return {
    id,
    list: () => Project.listSecretEntries(id, connection),
    async set(name, value, limits) {
      const set = await Project.setSecret(id, name, value, { ...connection, ...limits });
      return set.warning;
    },
    revoke: (name) => Project.revokeSecret(id, name, connection),
    remove: (name) => Project.deleteSecret(id, name, connection),
  };
}
