import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
const store = await SecretStore.create({
  name: 'restricted-store',
  egressAllowlist: ['api.anthropic.com', '*.openai.com'],
});
