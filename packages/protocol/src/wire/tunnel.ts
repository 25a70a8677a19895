/**
 * What `Upgrade` names in `GET /v1/tunnel?port=N` to the agent and in
 * `GET /v1/sandboxes/:id/tunnel?port=N` to the worker. After the 101 the
 * connection is one to that TCP port of the guest's loopback, in both
 * directions. Each other response is an error body, such as `port_not_listening`.
 */
export const tunnelProtocol = "opencomputer-tunnel";
