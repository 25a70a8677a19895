/** Series by their names and labels, each with values a minute apart in promtool's notation. */
type Series = Readonly<Record<string, string>>;

/** What an alert is tried with: it fires, or does not, after so many minutes of the series. */
export interface AlertCase {
  readonly minutes: number;
  readonly fires: Series;
  /** The nearest that is still in order. */
  readonly staysQuiet: Series;
}

const creates = 'opencomputer_api_requests_total{route="/api/sandboxes",method="POST",code=';
const createSeconds =
  'opencomputer_api_request_duration_seconds_bucket{route="/api/sandboxes",method="POST",le=';
const attempts = "opencomputer_webhook_attempts_total{result=";
const logLines = "opencomputer_egress_log_read_total{result=";
const allowed = 'opencomputer_egress_requests_total{kind="https",decision="allowed"}';

/** A case for each alert of the operators' rules, by its name. */
export const alertCases: Readonly<Record<string, AlertCase>> = {
  OpenComputerNotScraped: {
    minutes: 5,
    fires: { 'up{job="opencomputer-worker"}': "0x10" },
    staysQuiet: { 'up{job="opencomputer-worker"}': "0 0 1 0 0 1" },
  },
  OpenComputerNotReady: {
    minutes: 7,
    fires: { opencomputer_ready: "0x10" },
    staysQuiet: { opencomputer_ready: "0 0 0 0 1 0 0 0" },
  },
  OpenComputerDatabaseDown: {
    minutes: 4,
    fires: { opencomputer_database_up: "0x10" },
    staysQuiet: { opencomputer_database_up: "0 1 0 1 0" },
  },
  OpenComputerCreatesFail: {
    minutes: 20,
    fires: { [`${creates}"ok"}`]: "0+9x30", [`${creates}"guest_failed"}`]: "0+1x30" },
    staysQuiet: { [`${creates}"ok"}`]: "0+9x30", [`${creates}"invalid_request"}`]: "0+9x30" },
  },
  OpenComputerWakesFail: {
    minutes: 20,
    fires: {
      'opencomputer_wakes_total{code="ok"}': "0+9x30",
      'opencomputer_wakes_total{code="internal_error"}': "0+1x30",
    },
    staysQuiet: {
      'opencomputer_wakes_total{code="ok"}': "0+9x30",
      'opencomputer_wakes_total{code="too_many_requests"}': "0+9x30",
    },
  },
  OpenComputerAuditTrailUnwritable: {
    minutes: 3,
    fires: { opencomputer_egress_audit_trail_writable: "0x10" },
    staysQuiet: { opencomputer_egress_audit_trail_writable: "1x10" },
  },
  OpenComputerSecretLeaked: {
    minutes: 4,
    fires: { 'opencomputer_egress_secrets_total{result="leaked"}': "0 0 1 1 1" },
    staysQuiet: {
      'opencomputer_egress_secrets_total{result="leaked"}': "3x10",
      'opencomputer_egress_secrets_total{result="redacted"}': "0+5x10",
    },
  },
  OpenComputerRestarts: {
    minutes: 6,
    fires: { 'opencomputer_process_restarts{process="worker"}': "0 1 2 3 3 3 3" },
    staysQuiet: { 'opencomputer_process_restarts{process="worker"}': "0 1 1 2 2 2 2" },
  },
  OpenComputerQuarantine: {
    minutes: 7,
    fires: { opencomputer_worker_quarantined_records: "1x10" },
    staysQuiet: { opencomputer_worker_quarantined_records: "0x10" },
  },
  OpenComputerSlotsRunOut: {
    minutes: 12,
    fires: { opencomputer_worker_slots_taken: "95x20", opencomputer_worker_slots: "100x20" },
    staysQuiet: { opencomputer_worker_slots_taken: "90x20", opencomputer_worker_slots: "100x20" },
  },
  OpenComputerWarmPoolEmpty: {
    minutes: 17,
    fires: {
      opencomputer_worker_warm_machines: "0x20",
      opencomputer_worker_warm_machines_wanted: "2x20",
    },
    staysQuiet: {
      opencomputer_worker_warm_machines: "0x20",
      opencomputer_worker_warm_machines_wanted: "0x20",
    },
  },
  OpenComputerCreatesSlow: {
    minutes: 35,
    fires: {
      [`${createSeconds}"10"}`]: "0+9x40",
      [`${createSeconds}"60"}`]: "0+10x40",
      [`${createSeconds}"+Inf"}`]: "0+10x40",
    },
    staysQuiet: {
      [`${createSeconds}"10"}`]: "0+98x40",
      [`${createSeconds}"60"}`]: "0+100x40",
      [`${createSeconds}"+Inf"}`]: "0+100x40",
    },
  },
  OpenComputerUpstreamsFail: {
    minutes: 25,
    fires: {
      'opencomputer_egress_failures_total{code="timed_out"}': "0+3x30",
      [allowed]: "0+10x30",
    },
    staysQuiet: {
      'opencomputer_egress_failures_total{code="timed_out"}': "0+1x30",
      'opencomputer_egress_failures_total{code="egress_host_not_allowed"}': "0+9x30",
      [allowed]: "0+10x30",
    },
  },
  OpenComputerProcessLags: {
    minutes: 12,
    fires: { 'nodejs_eventloop_lag_p99_seconds{job="opencomputer-worker"}': "0.8x20" },
    staysQuiet: {
      'nodejs_eventloop_lag_p99_seconds{job="opencomputer-worker"}': "0.2x20",
      'nodejs_eventloop_lag_p99_seconds{job="other"}': "0.8x20",
    },
  },
  OpenComputerDatabaseQueue: {
    minutes: 7,
    fires: { opencomputer_database_waiting: "20x10" },
    staysQuiet: { opencomputer_database_waiting: "20 20 0 20 20 0 20 20" },
  },
  OpenComputerWebhooksFail: {
    minutes: 65,
    fires: { [`${attempts}"unreachable"}`]: "0+6x70", [`${attempts}"delivered"}`]: "0+4x70" },
    staysQuiet: { [`${attempts}"unreachable"}`]: "0+4x70", [`${attempts}"delivered"}`]: "0+6x70" },
  },
  OpenComputerWebhookDisabled: {
    minutes: 4,
    fires: { 'opencomputer_webhooks{state="failing"}': "0 0 1 1 1" },
    staysQuiet: {
      'opencomputer_webhooks{state="failing"}': "2x10",
      'opencomputer_webhooks{state="requested"}': "0 0 1 1 1",
    },
  },
  OpenComputerEgressLogNotStored: {
    minutes: 12,
    fires: { opencomputer_egress_log_waiting: "2000x20" },
    staysQuiet: { opencomputer_egress_log_waiting: "900x20" },
  },
  OpenComputerEgressLogUnstorable: {
    minutes: 4,
    fires: { [`${logLines}"unstorable"}`]: "0 0 1 1 1" },
    staysQuiet: { [`${logLines}"unstorable"}`]: "1x10", [`${logLines}"stored"}`]: "0+9x10" },
  },
};
