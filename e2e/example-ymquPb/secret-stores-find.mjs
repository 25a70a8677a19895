import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
const stores = await SecretStore.list();
const store = await SecretStore.get('36185f25-d209-410d-a50b-2ece15f5fae3');
