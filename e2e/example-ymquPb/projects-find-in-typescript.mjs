import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
const projects = await Project.list();
const project = await Project.get('d2672aba-fefb-4984-8c86-a40c8f13e119');
