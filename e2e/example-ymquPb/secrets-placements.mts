import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
const store = {"id":"6f5982f2-5b10-41d3-91cd-066d947c1ba5","orgId":"270931d4-3b36-452a-b332-334b2bee4241","name":"my-agent-secrets","egressAllowlist":["api.anthropic.com"],"createdAt":"2026-12-01T08:28:23.484Z","updatedAt":"2026-12-01T08:28:23.484Z"};
// Anthropic takes the key in one header field: a token in a prompt stays a token
await SecretStore.setSecret(store.id, 'ANTHROPIC_API_KEY', 'sk-ant-...', {
  allowedHosts: ['api.anthropic.com'],
  substituteIn: ['header:x-api-key'],
});

// Gemini's key may also be in the query: ?key=...
await SecretStore.setSecret(store.id, 'GEMINI_KEY', 'AIza...', {
  allowedHosts: ['generativelanguage.googleapis.com'],
  substituteIn: ['header:x-goog-api-key', 'query'],
});

// An OAuth client sends its secret in one field of a form, or in Basic credentials
const { warning } = await SecretStore.setSecret(store.id, 'CLIENT_SECRET', 'b7Q2...', {
  allowedHosts: ['auth.example.com'],
  substituteIn: ['body:client_secret', 'header:authorization'],
});
if (warning !== undefined) console.warn(warning); // the value can be guessed
