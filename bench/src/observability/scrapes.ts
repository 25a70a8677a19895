export const scrapeMilliseconds = 5_000;
const paths = ["/metrics", "/metrics/worker", "/metrics/egress-proxy"];

/**
 * Does work while the metrics of every process are read every 5 s, as by a Prometheus: first
 * after half of that, so that neither the start nor the end of the work has a read of its own.
 */
export async function whileScraped<Result>(
  metricsUrl: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const scrape = () => {
    scraping = scraping.then(() => scrapeAll(metricsUrl));
  };
  let scraping = Promise.resolve();
  let timer = setTimeout(() => {
    scrape();
    timer = setInterval(scrape, scrapeMilliseconds);
  }, scrapeMilliseconds / 2);
  try {
    const result = await work();
    await scraping;
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
