import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
const updated = await SecretStore.update('36185f25-d209-410d-a50b-2ece15f5fae3', {
  name: 'new-name',
  egressAllowlist: ['api.anthropic.com', '*.openai.com'],
  substituteIn: ['header'],
});
