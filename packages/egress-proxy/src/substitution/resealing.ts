import { limits } from "@opencomputer/protocol";
import type { SessionPolicy } from "../contract.ts";
import type { SubstitutedCredentials } from "./header-substitution.ts";
import { echoedForms } from "./value-forms.ts";
import { type SealedPattern, ValueMatcher } from "./value-matcher.ts";

interface PolicyMatchers {
  readonly patterns: readonly SealedPattern[];
  readonly plain: ValueMatcher | undefined;
  readonly withCredentials: Map<string, ValueMatcher>;
}

const credentialsPerPolicyMax = 32;
const matchersByPolicy = new WeakMap<SessionPolicy, PolicyMatchers>();

/**
 * What to look for in the answers that a session gets: the values of all its
 * secrets in the forms in which answers repeat them, and the Basic
 * credentials that this request carried. Undefined when there is nothing.
 *
 * Values shorter than `limits.resealedValueBytesMin` octets are not looked for.
 * What an upstream transforms in another way, or hands out in pieces over
 * several answers, is not recognised: sealing guards against echoes, and only
 * the hosts that a secret allows guard against a hostile upstream.
 */
export function matcherFor(
  policy: SessionPolicy,
  credentials: readonly SubstitutedCredentials[],
): ValueMatcher | undefined {
  const matchers = policyMatchers(policy);
  if (credentials.length === 0) return matchers.plain;
  const key = credentials.map(({ sealed, sent }) => `${sealed} ${sent}`).join("\n");
  let matcher = matchers.withCredentials.get(key);
  if (matcher === undefined) {
    matcher = new ValueMatcher([...matchers.patterns, ...credentials.map(credentialsPattern)]);
    if (matchers.withCredentials.size >= credentialsPerPolicyMax) matchers.withCredentials.clear();
    matchers.withCredentials.set(key, matcher);
  }
  return matcher;
}

function policyMatchers(policy: SessionPolicy): PolicyMatchers {
  const known = matchersByPolicy.get(policy);
  if (known !== undefined) return known;
  const patterns = valuePatterns(policy);
  const made: PolicyMatchers = {
    patterns,
    plain: patterns.length === 0 ? undefined : new ValueMatcher(patterns),
    withCredentials: new Map(),
  };
  matchersByPolicy.set(policy, made);
  return made;
}

function valuePatterns(policy: SessionPolicy): SealedPattern[] {
  const patterns = new Map<string, SealedPattern>();
  for (const secret of policy.secrets) {
    const replacement = Buffer.from(secret.token, "latin1");
    for (const form of echoedForms(secret.value)) {
      const octets = Buffer.from(form, "utf8");
      if (octets.length < limits.resealedValueBytesMin || patterns.has(form)) continue;
      patterns.set(form, { octets, replacement, secretNames: [secret.name] });
    }
  }
  return [...patterns.values()];
}

function credentialsPattern(credentials: SubstitutedCredentials): SealedPattern {
  return {
    octets: Buffer.from(credentials.sent, "latin1"),
    replacement: Buffer.from(credentials.sealed, "latin1"),
    secretNames: credentials.secretNames,
  };
}
