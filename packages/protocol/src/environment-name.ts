import { z } from "zod";

/** POSIX.1-2017, section 8.1, with lower case allowed as every shell does. */
export const environmentNamePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/**
 * Variables that decide what code runs or whom it trusts. A secret of such a
 * name would break the sandbox or open it, so it is refused.
 */
const reservedNames = new Set([
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "PWD",
  "IFS",
  "ENV",
  "BASH_ENV",
  "TERM",
  "HOSTNAME",
  "LANG",
  "TZ",
  "TMPDIR",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "AWS_CA_BUNDLE",
  "PIP_CERT",
  "NODE_EXTRA_CA_CERTS",
  "NODE_OPTIONS",
  "NODE_PATH",
  "NODE_TLS_REJECT_UNAUTHORIZED",
  "PYTHONPATH",
  "PYTHONHOME",
  "PYTHONSTARTUP",
  "PERL5LIB",
  "PERL5OPT",
  "RUBYLIB",
  "RUBYOPT",
  "JAVA_TOOL_OPTIONS",
  "GIT_SSL_NO_VERIFY",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "no_proxy",
]);
const reservedPrefixes = ["LD_", "DYLD_", "GIT_CONFIG", "BASH_FUNC_"];

export function isReservedEnvironmentName(name: string): boolean {
  return reservedNames.has(name) || reservedPrefixes.some((prefix) => name.startsWith(prefix));
}

/** Name of a secret: an environment variable name that is not reserved. */
export const secretNameSchema = z
  .string()
  .regex(
    environmentNamePattern,
    "must be an environment variable name: [A-Za-z_][A-Za-z0-9_]{0,127}",
  )
  .refine((name) => !isReservedEnvironmentName(name), {
    error: (issue) =>
      `${String(issue.input)} is reserved: it changes which code runs or whom it trusts; choose another name`,
  });

/** Name of a plain variable: anything a shell can export. */
export const environmentNameSchema = z
  .string()
  .regex(
    environmentNamePattern,
    "must be an environment variable name: [A-Za-z_][A-Za-z0-9_]{0,127}",
  );

/**
 * The variables that make every common runtime trust the installation's CA.
 * `bundle` is the whole system bundle, `authority` the installation's CA alone,
 * because Node adds the latter to its built-in roots.
 */
export function trustEnvironment(paths: {
  bundle: string;
  authority: string;
}): Record<string, string> {
  return {
    SSL_CERT_FILE: paths.bundle,
    REQUESTS_CA_BUNDLE: paths.bundle,
    CURL_CA_BUNDLE: paths.bundle,
    GIT_SSL_CAINFO: paths.bundle,
    AWS_CA_BUNDLE: paths.bundle,
    PIP_CERT: paths.bundle,
    NODE_EXTRA_CA_CERTS: paths.authority,
  };
}
