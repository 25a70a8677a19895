import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
const entries = await SecretStore.listSecrets('36185f25-d209-410d-a50b-2ece15f5fae3');
for (const { name, allowedHosts, substituteIn } of entries) console.log(name, allowedHosts, substituteIn);

await SecretStore.deleteSecret('36185f25-d209-410d-a50b-2ece15f5fae3', 'ANTHROPIC_API_KEY');
