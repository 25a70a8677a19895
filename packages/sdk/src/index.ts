export type {
  AllowedHosts,
  ApiKeyEntry,
  CommandResult,
  CreatedApiKey,
  CreatedSandbox,
  DirectoryEntry,
  ProjectRecord,
  SandboxDetail,
  SandboxStatus,
  SandboxSummary,
  SandboxTags,
  SecretEntry,
  SecretStoreRecord,
  SignedUrl,
  TagKey,
} from "@opencomputer/protocol";
/** Every bound that a caller can run into, and what applies to what is not passed. */
export { defaults, environmentNamePattern, limits } from "@opencomputer/protocol";
export { ApiKey, type CreateApiKeyOptions } from "./api-key.ts";
export type { Commands, RunOptions } from "./commands/commands.ts";
export { type ConnectionOptions, defaultApiUrl } from "./connection.ts";
export type { CallOptions, FileContent, Files, SignedUrlOptions } from "./files/files.ts";
export type { StreamSource } from "./files/upload-source.ts";
export type { SetSecretOptions } from "./named-secrets.ts";
export {
  type ClientErrorCode,
  OpenComputerError,
  type OpenComputerErrorCode,
} from "./open-computer-error.ts";
export type { Fetch, FetchInit, FetchResponse } from "./platform/fetch.ts";
export {
  type CreateProjectOptions,
  Project,
  type ProjectDefaults,
  type UpdateProjectOptions,
} from "./project.ts";
export { type CreateSandboxOptions, type ListSandboxesOptions, Sandbox } from "./sandbox.ts";
export {
  type CreateSecretStoreOptions,
  SecretStore,
  type UpdateSecretStoreOptions,
} from "./secret-store.ts";
