/**
 * What every command finds in its environment: the tokens of the sandbox's
 * secrets, and over them its plain variables.
 */
export function sandboxEnvironment(
  secrets: readonly { name: string; token: string }[],
  envs: Record<string, string>,
): Record<string, string> {
  return { ...Object.fromEntries(secrets.map(({ name, token }) => [name, token])), ...envs };
}
