/**
 * Adds settings to Debian's `openssl.cnf` that prefer the generator of the provider at
 * `modulePath` to OpenSSL's own, which is used when it cannot be loaded. Node.js reads
 * the same file, with settings under another name.
 *
 * @throws {Error} when the file is not as expected.
 */
export function preferKernelGenerator(configuration: string, modulePath: string): string {
  const settings = "providers = opencomputer_providers\nrandom = opencomputer_random\n";
  const withName = insertAfter(
    configuration,
    "openssl_conf = openssl_init\n",
    "nodejs_conf = opencomputer_nodejs\n",
  );
  const withSettings = insertAfter(withName, "\n[openssl_init]\n", settings);
  return `${withSettings}
[opencomputer_nodejs]
${settings}
[opencomputer_providers]
default = opencomputer_default
opencomputer = opencomputer_kernel

[opencomputer_default]
activate = 1

[opencomputer_kernel]
module = ${modulePath}
activate = 1

[opencomputer_random]
properties = ?provider=opencomputer
`;
}

function insertAfter(text: string, place: string, addition: string): string {
  const parts = text.split(place);
  if (parts.length !== 2) {
    throw new Error(
      `openssl.cnf has ${JSON.stringify(place)} ${parts.length - 1} times, expected once: adapt preferKernelGenerator to Debian's file`,
    );
  }
  return parts.join(`${place}${addition}`);
}
