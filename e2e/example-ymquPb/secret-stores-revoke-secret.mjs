import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
await SecretStore.revokeSecret('36185f25-d209-410d-a50b-2ece15f5fae3', 'ANTHROPIC_API_KEY');
