import { z } from "zod";

/** POSIX.1-2017, section 8.1, with lower case allowed as every shell does. */
export const environmentNamePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/**
 * Variables that decide which code runs and which certificates it trusts. A
 * secret with such a name would break the sandbox or weaken it, so it is refused.
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
  "HTTPLIB2_CA_CERTS",
  "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
  "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
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
      `${String(issue.input)} is reserved: it changes which code runs or what it trusts; choose another name`,
  });

/** Name of a plain variable: anything a shell can export. */
export const environmentNameSchema = z
  .string()
  .regex(
    environmentNamePattern,
    "must be an environment variable name: [A-Za-z_][A-Za-z0-9_]{0,127}",
  );
