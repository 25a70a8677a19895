import { type AwsCredentials, Project, type SecretEntry, SecretStore } from "@opencomputer/sdk";
import { connection } from "../service/connection.ts";

/** What is known of a secret; of one of a project only its name. */
export type ListedSecret = Pick<SecretEntry, "name"> & Partial<SecretEntry>;

interface Limits {
  allowedHosts: readonly string[] | undefined;
  substituteIn: readonly string[] | undefined;
}

/** What has secrets: a store, or a project. */
export interface SecretOwner {
  id: string;
  /** Whether its list has more than names. */
  hasDetails: boolean;
  list(): Promise<ListedSecret[]>;
  /** Resolves with a warning, where the service has one. */
  set(name: string, value: string | AwsCredentials, limits: Limits): Promise<string | undefined>;
  revoke(name: string): Promise<unknown>;
  remove(name: string): Promise<void>;
}

export function storeAsOwner(id: string): SecretOwner {
  return {
    id,
    hasDetails: true,
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
    hasDetails: false,
    list: async () => (await Project.listSecrets(id, connection)).map((name) => ({ name })),
    async set(name, value, limits) {
      const set = await Project.setSecret(id, name, value, { ...connection, ...limits });
      return set.warning;
    },
    revoke: (name) => Project.revokeSecret(id, name, connection),
    remove: (name) => Project.deleteSecret(id, name, connection),
  };
}
