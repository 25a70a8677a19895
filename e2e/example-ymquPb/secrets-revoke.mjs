import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
const store = {"id":"6f5982f2-5b10-41d3-91cd-066d947c1ba5","orgId":"270931d4-3b36-452a-b332-334b2bee4241","name":"my-agent-secrets","egressAllowlist":["api.anthropic.com"],"createdAt":"2026-12-01T08:28:23.484Z","updatedAt":"2026-12-01T08:28:23.484Z"};
await SecretStore.revokeSecret(store.id, 'LEAKED_KEY');
