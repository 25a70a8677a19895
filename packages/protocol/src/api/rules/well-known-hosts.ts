import { anyHostMatches, hostMatches } from "./host-pattern.ts";

/** Where a service takes its credentials, by its own API documentation. */
interface WellKnownService {
  readonly hosts: readonly string[];
  readonly substituteIn: readonly string[];
  /** Environment variables that its own tools and SDKs read. */
  readonly variables: readonly string[];
}

/** What most services take: `Authorization`, as Bearer or Basic credentials. */
const authorization = ["header:authorization"];

/**
 * Only hosts that belong to the service as a whole: a host that each customer
 * names (`*.openai.azure.com`) would let an attacker who is a customer receive
 * the value.
 */
export const wellKnownServices: readonly WellKnownService[] = [
  {
    hosts: ["api.anthropic.com"],
    substituteIn: ["header:x-api-key", "header:authorization"],
    variables: ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
  },
  { hosts: ["api.openai.com"], substituteIn: authorization, variables: ["OPENAI_API_KEY"] },
  {
    hosts: ["generativelanguage.googleapis.com"],
    substituteIn: ["header:x-goog-api-key", "query"],
    variables: ["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"],
  },
  {
    hosts: ["api.github.com", "github.com", "uploads.github.com"],
    substituteIn: authorization,
    variables: ["GITHUB_TOKEN", "GH_TOKEN"],
  },
  {
    hosts: ["gitlab.com"],
    substituteIn: ["header:private-token", "header:authorization"],
    variables: ["GITLAB_TOKEN", "GITLAB_PRIVATE_TOKEN"],
  },
  {
    hosts: ["registry.npmjs.org"],
    substituteIn: authorization,
    variables: ["NPM_TOKEN", "NODE_AUTH_TOKEN"],
  },
  {
    hosts: ["upload.pypi.org"],
    substituteIn: authorization,
    variables: ["PYPI_TOKEN", "PYPI_API_TOKEN", "UV_PUBLISH_TOKEN"],
  },
  {
    hosts: ["huggingface.co", "router.huggingface.co"],
    substituteIn: authorization,
    variables: ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"],
  },
  {
    hosts: ["slack.com"],
    substituteIn: authorization,
    variables: ["SLACK_TOKEN", "SLACK_BOT_TOKEN", "SLACK_USER_TOKEN", "SLACK_APP_TOKEN"],
  },
  {
    hosts: ["api.stripe.com"],
    substituteIn: authorization,
    variables: ["STRIPE_API_KEY", "STRIPE_SECRET_KEY"],
  },
  {
    hosts: ["api.cloudflare.com"],
    substituteIn: ["header:authorization", "header:x-auth-key"],
    variables: ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"],
  },
  { hosts: ["api.mistral.ai"], substituteIn: authorization, variables: ["MISTRAL_API_KEY"] },
  { hosts: ["api.groq.com"], substituteIn: authorization, variables: ["GROQ_API_KEY"] },
  { hosts: ["openrouter.ai"], substituteIn: authorization, variables: ["OPENROUTER_API_KEY"] },
  { hosts: ["api.deepseek.com"], substituteIn: authorization, variables: ["DEEPSEEK_API_KEY"] },
  { hosts: ["api.x.ai"], substituteIn: authorization, variables: ["XAI_API_KEY"] },
  {
    hosts: ["api.cohere.com"],
    substituteIn: authorization,
    variables: ["COHERE_API_KEY", "CO_API_KEY"],
  },
  { hosts: ["api.together.xyz"], substituteIn: authorization, variables: ["TOGETHER_API_KEY"] },
  { hosts: ["api.perplexity.ai"], substituteIn: authorization, variables: ["PERPLEXITY_API_KEY"] },
  { hosts: ["api.replicate.com"], substituteIn: authorization, variables: ["REPLICATE_API_TOKEN"] },
  {
    hosts: ["api.elevenlabs.io"],
    substituteIn: ["header:xi-api-key"],
    variables: ["ELEVENLABS_API_KEY"],
  },
  {
    hosts: ["api.search.brave.com"],
    substituteIn: ["header:x-subscription-token"],
    variables: ["BRAVE_API_KEY"],
  },
  { hosts: ["api.notion.com"], substituteIn: authorization, variables: ["NOTION_TOKEN"] },
  { hosts: ["api.linear.app"], substituteIn: authorization, variables: ["LINEAR_API_KEY"] },
  { hosts: ["sentry.io"], substituteIn: authorization, variables: ["SENTRY_AUTH_TOKEN"] },
  { hosts: ["api.vercel.com"], substituteIn: authorization, variables: ["VERCEL_TOKEN"] },
  {
    hosts: ["discord.com"],
    substituteIn: authorization,
    variables: ["DISCORD_TOKEN", "DISCORD_BOT_TOKEN"],
  },
  { hosts: ["api.telegram.org"], substituteIn: ["path"], variables: ["TELEGRAM_BOT_TOKEN"] },
];

/** Host limits and placements that suit a secret. */
export interface PlacementRecommendation {
  readonly hosts: readonly string[];
  readonly substituteIn: readonly string[];
}

/**
 * Recommends host limits and placements for a secret by its name or, if its
 * name is not known, by its host limits in their canonical form. Returns
 * undefined when one of the limits is not known: that host may take the value
 * elsewhere. The recommended hosts never exceed the limits.
 */
export function recommendPlacement(
  name: string,
  allowedHosts: readonly string[],
): PlacementRecommendation | undefined {
  const named = wellKnownServices.filter(({ variables }) => variables.includes(name));
  if (allowedHosts.length === 0) return recommend(named);
  const byName = named.map((service) => within(service, allowedHosts));
  if (allHaveHosts(byName, allowedHosts)) return recommend(byName);
  // A wildcard alone does not determine which of the services below it is meant.
  const exact = wellKnownServices.map((service) => ({
    ...service,
    hosts: service.hosts.filter((host) => allowedHosts.includes(host)),
  }));
  return allHaveHosts(exact, allowedHosts) ? recommend(exact) : undefined;
}

function within(service: WellKnownService, limits: readonly string[]): WellKnownService {
  return { ...service, hosts: service.hosts.filter((host) => anyHostMatches(limits, host)) };
}

function allHaveHosts(known: readonly WellKnownService[], limits: readonly string[]): boolean {
  const hosts = known.flatMap((service) => service.hosts);
  return limits.every((limit) => hosts.some((host) => hostMatches(limit, host)));
}

function recommend(candidates: readonly WellKnownService[]): PlacementRecommendation | undefined {
  const used = candidates.filter(({ hosts }) => hosts.length > 0);
  if (used.length === 0) return undefined;
  return {
    hosts: used.flatMap(({ hosts }) => hosts),
    substituteIn: [...new Set(used.flatMap(({ substituteIn }) => substituteIn))],
  };
}
