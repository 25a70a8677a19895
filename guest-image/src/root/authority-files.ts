import { dirname } from "node:path";
import { guestLayout } from "@opencomputer/protocol/wire";

/** Debian's certificate authorities at the time of the build. */
export const debianBundle = "/etc/opencomputer/debian-authorities.crt";

const browserPolicy = "/etc/opencomputer/browser-policy.json";

/** Where Chromium looks for what a user trusts, in the home directory. */
const nssDatabase = ".pki/nssdb";

/** What becomes such a database: creating one takes seconds on an emulated processor. */
export const emptyDatabase = "/etc/opencomputer/nssdb-empty";
const importedDatabase = "/etc/opencomputer/nssdb";

/** Where browsers of Chromium's family look for the policies of their machine. */
const policyDirectories = [
  "/etc/chromium/policies/managed",
  "/etc/opt/chrome/policies/managed",
  "/etc/opt/chrome_for_testing/policies/managed",
  "/etc/opt/edge/policies/managed",
];

/**
 * The script that makes the guest trust the authority that the host has
 * installed. For the system's store, its result is that of update-ca-certificates(8), with three
 * processes instead of a thousand, which take most of a minute on an emulated
 * processor. Browsers of Chromium's family have a store of their own: they trust what a policy adds,
 * and their headless shell, which reads no policies, what the user's NSS database has.
 */
export function trustScript(): string {
  const { trustBundle, installationAuthority, user, home } = guestLayout;
  return `#!/bin/sh
set -eu
hash=$(openssl x509 -in ${installationAuthority} -noout -subject_hash)
ln -sf ${installationAuthority} /etc/ssl/certs/opencomputer.pem
ln -sf opencomputer.pem "/etc/ssl/certs/$hash.0"
cat ${debianBundle} ${installationAuthority} > ${trustBundle}.new
mv ${trustBundle}.new ${trustBundle}
printf '{"CACertificates":["%s"]}\\n' "$(grep -v -e '-----' ${installationAuthority} | tr -d '\\n')" > ${browserPolicy}.new
mv ${browserPolicy}.new ${browserPolicy}
for directory in ${policyDirectories.join(" ")}; do
  mkdir -p "$directory"
  ln -sf ${browserPolicy} "$directory/opencomputer.json"
done
rm -rf ${importedDatabase}
cp -r ${emptyDatabase} ${importedDatabase}
certutil -A -d sql:${importedDatabase} -n opencomputer -t C,, -i ${installationAuthority}
for home in /root ${home}; do
  if [ -e "$home/${nssDatabase}" ]; then
    certutil -D -d "sql:$home/${nssDatabase}" -n opencomputer 2>/dev/null || true
    certutil -A -d "sql:$home/${nssDatabase}" -n opencomputer -t C,, -i ${installationAuthority}
  else
    mkdir -p "$home/${dirname(nssDatabase)}"
    cp -r ${importedDatabase} "$home/${nssDatabase}"
  fi
done
chown -R ${user}:${user} ${home}/.pki
`;
}

/** Firefox reads the authority from its file when it starts. */
export function firefoxPolicy(): string {
  const policies = { Certificates: { Install: [guestLayout.installationAuthority] } };
  return `${JSON.stringify({ policies })}\n`;
}
