/** Each of these files adds one of prom-client's default metrics to a registry. */
declare module "prom-client/lib/metrics/*.js" {
  const addMetric: (
    registry: import("prom-client").Registry,
    config?: { readonly eventLoopMonitoringPrecision?: number },
  ) => void;
  export = addMetric;
}
