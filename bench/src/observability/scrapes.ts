const intervalMilliseconds = 5_000;
const paths = ["/metrics", "/metrics/worker", "/metrics/egress-proxy"];

/** Does work while the metrics of every process are read at once and then every 5 s, as by a Prometheus. */
export async function whileScraped<Result>(
  metricsUrl: string,
  work: () => Promise<Result>,
): Promise<Result> {
  let scrape = scrapeAll(metricsUrl);
  const timer = setInterval(() => {
    scrape = scrape.then(() => scrapeAll(metricsUrl));
  }, intervalMilliseconds);
  try {
    const result = await work();
    await scrape;
    return result;
  } finally {
    clearInterval(timer);
  }
}

async function scrapeAll(metricsUrl: string): Promise<void> {
  for (const path of paths) {
    const response = await fetch(metricsUrl + path);
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`GET ${path} returned ${response.status}`);
  }
}
