declare module "parse-prometheus-text-format" {
  /** The families of metrics in Prometheus' text format. */
  const parsePrometheusTextFormat: (text: string) => unknown;
  export = parsePrometheusTextFormat;
}
