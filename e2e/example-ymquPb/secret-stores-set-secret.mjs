import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
await SecretStore.setSecret('36185f25-d209-410d-a50b-2ece15f5fae3', 'ANTHROPIC_API_KEY', 'sk-ant-...');

// Optionally restrict to specific hosts:
await SecretStore.setSecret('36185f25-d209-410d-a50b-2ece15f5fae3', 'ANTHROPIC_API_KEY', 'sk-ant-...', {
  allowedHosts: ['api.anthropic.com'],
});

// And to one header field, so that a token in a prompt stays a token:
await SecretStore.setSecret('36185f25-d209-410d-a50b-2ece15f5fae3', 'ANTHROPIC_API_KEY', 'sk-ant-...', {
  substituteIn: ['header:x-api-key'],
});
