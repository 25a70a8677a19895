import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
await Project.setSecret('d2672aba-fefb-4984-8c86-a40c8f13e119', 'ANTHROPIC_API_KEY', 'sk-ant-...');
