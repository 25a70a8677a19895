import { settingSchemas } from "@opencomputer/protocol";
import { z } from "zod";

/**
 * Every variable that this process reads. The first three are the product's
 * public settings; the rest is handed over by whatever starts the process.
 */
export const egressProxySettings = {
  OPENCOMPUTER_EGRESS_HOSTS: settingSchemas.OPENCOMPUTER_EGRESS_HOSTS,
  OPENCOMPUTER_EGRESS_DENY: settingSchemas.OPENCOMPUTER_EGRESS_DENY,
  OPENCOMPUTER_EGRESS_CA_FILE: settingSchemas.OPENCOMPUTER_EGRESS_CA_FILE,
  /** Path of the Unix socket that serves the control API. */
  OPENCOMPUTER_EGRESS_PROXY_SOCKET: z.string().startsWith("/", "expected an absolute path"),
  /** IPv4 address that guests' connections arrive at. */
  OPENCOMPUTER_EGRESS_ADDRESS: z.ipv4(),
  /** File that names the nameservers, in the form of resolv.conf(5). */
  OPENCOMPUTER_EGRESS_RESOLV_CONF: z
    .string()
    .startsWith("/", "expected an absolute path")
    .default("/etc/resolv.conf"),
  /**
   * File descriptor of the stream that takes audit lines, apart from the
   * process log. Standard output when nobody opened one.
   */
  OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: z.coerce.number().int().min(1).max(1023).default(1),
} as const;
