import { serviceLimits, settingSchemas } from "@opencomputer/protocol/wire";
import { z } from "zod";

/**
 * Every variable that this process reads. The first seven are the product's
 * public settings; the others are set by the process that starts this one.
 */
export const egressProxySettings = {
  OPENCOMPUTER_LOG_LEVEL: settingSchemas.OPENCOMPUTER_LOG_LEVEL,
  OPENCOMPUTER_EGRESS_HOSTS: settingSchemas.OPENCOMPUTER_EGRESS_HOSTS,
  OPENCOMPUTER_EGRESS_DENY: settingSchemas.OPENCOMPUTER_EGRESS_DENY,
  OPENCOMPUTER_EGRESS_CA_FILE: settingSchemas.OPENCOMPUTER_EGRESS_CA_FILE,
  OPENCOMPUTER_EGRESS_RESOLV_CONF: settingSchemas.OPENCOMPUTER_EGRESS_RESOLV_CONF,
  /** Secret: the supervisor hands it over on a pipe. */
  OPENCOMPUTER_EGRESS_UPSTREAM_PROXY: settingSchemas.OPENCOMPUTER_EGRESS_UPSTREAM_PROXY,
  OPENCOMPUTER_EGRESS_NO_PROXY: settingSchemas.OPENCOMPUTER_EGRESS_NO_PROXY,
  /** Path of the Unix socket that serves the control API. */
  OPENCOMPUTER_EGRESS_PROXY_SOCKET: z.string().startsWith("/", "expected an absolute path"),
  /** IPv4 address that guests' connections arrive at. */
  OPENCOMPUTER_EGRESS_ADDRESS: z.ipv4(),
  /** Which of the egress proxies of its host this is, from 0: it decides at which ports of the address it listens. */
  OPENCOMPUTER_EGRESS_PROXY_INDEX: z.coerce
    .number()
    .int()
    .min(0)
    .max(serviceLimits.egressProxiesMax - 1)
    .default(0),
  /** File descriptor of a listening socket for guests' other ports, whose connections keep their destination. */
  OPENCOMPUTER_EGRESS_STREAM_DESCRIPTOR: z.coerce.number().int().min(3).max(1023).optional(),
  /** File descriptor of a socket of netfilter's log: which connections of guests the packet filter rejected. */
  OPENCOMPUTER_EGRESS_REFUSAL_DESCRIPTOR: z.coerce.number().int().min(3).max(1023).optional(),
  /**
   * File descriptor of the stream that takes audit lines, apart from the
   * process log. Standard output by default.
   */
  OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: z.coerce.number().int().min(1).max(1023).default(1),
} as const;
