import { environmentBytes, limits, WireError } from "@opencomputer/protocol";
import {
  boundFormerSecrets,
  type FormerSecret,
  isSameUse,
} from "../former-secrets/former-secret.ts";
import { layerSecrets } from "../secret-stores/layer-secrets.ts";
import type { OpenSecret } from "../secret-stores/open-layer.ts";
import { sandboxEnvironment } from "./sandbox-environment.ts";
import { mintSealedToken } from "./sandbox-identity.ts";
import type { SandboxPlan } from "./sandbox-plan.ts";

/** A secret with the token that the sandbox has for it. */
export type SandboxSecret = OpenSecret & { token: string };

export interface MergedPlan {
  egressAllowlist: string[];
  secrets: SandboxSecret[];
  /** Every plain variable. Over a token of the same name it wins. */
  envs: Record<string, string>;
  /** What the parent could use and the sandbox cannot. */
  formerSecrets: FormerSecret[];
}

/**
 * Lays the layers of a plan over each other.
 *
 * A secret that is new to the sandbox wins over an inherited plain variable;
 * the caller's own variables win over everything, and of a new secret that
 * they hide nothing is kept. An inherited secret stays in any case, under its
 * token: processes in the parent's memory use it. When the top layer has one
 * of the same name, that token stands for the top layer's value from now on,
 * and the parent's value is a former one.
 *
 * @throws {WireError} `limit_exceeded` when the variables are too many, or too large together.
 */
export function mergePlan(
  plan: Pick<SandboxPlan, "base" | "top" | "inheritedEnvs" | "envs" | "inheritedFormerSecrets">,
): MergedPlan {
  const { base, top, inheritedEnvs, envs: ownEnvs } = plan;
  const inheritedTokens = new Map(
    base.secrets.flatMap(({ name, token }) => (token === null ? [] : [[name, token]])),
  );
  const newNames = new Set(
    [...base.secrets.filter(({ token }) => token === null), ...top.secrets].map(({ name }) => name),
  );
  const envs = {
    ...Object.fromEntries(Object.entries(inheritedEnvs).filter(([name]) => !newNames.has(name))),
    ...ownEnvs,
  };
  const { egressAllowlist, secrets } = layerSecrets(base, top);
  const kept = secrets
    .filter(({ name }) => inheritedTokens.has(name) || !Object.hasOwn(ownEnvs, name))
    .map((secret) => ({
      ...secret,
      token: inheritedTokens.get(secret.name) ?? mintSealedToken(),
    }));
  assertEnvironmentFits(sandboxEnvironment(kept, envs));
  const formerSecrets = [...overridden(base.secrets, kept), ...plan.inheritedFormerSecrets];
  return {
    egressAllowlist,
    secrets: kept,
    envs,
    formerSecrets: boundFormerSecrets(formerSecrets, new Date()),
  };
}

/** What the parent could use and is not among what the sandbox can use. */
function overridden(
  inherited: readonly OpenSecret[],
  kept: readonly SandboxSecret[],
): FormerSecret[] {
  const retiredAt = new Date();
  const own = new Map(kept.map((secret) => [secret.name, secret]));
  return inherited.flatMap(({ token, ...secret }) => {
    if (token === null) return [];
    const before = { ...secret, token };
    const now = own.get(secret.name);
    return now !== undefined && isSameUse(before, now) ? [] : [{ ...before, retiredAt }];
  });
}

/** A sandbox with more could run no command. */
function assertEnvironmentFits(environment: Record<string, string>): void {
  const { environmentVariablesMax, environmentBytesTotalMax } = limits;
  const count = Object.keys(environment).length;
  if (count > environmentVariablesMax) {
    throw new WireError(
      "limit_exceeded",
      `envs: a sandbox has at most ${environmentVariablesMax} variables, those of its secrets and its image included, found ${count}. Pass fewer`,
    );
  }
  const byteCount = environmentBytes(environment);
  if (byteCount <= environmentBytesTotalMax) return;
  throw new WireError(
    "limit_exceeded",
    `envs: the variables of a sandbox, those of its secrets and its image included, must be at most ${environmentBytesTotalMax} bytes together with their names, found ${byteCount}. Pass fewer, or write large values to files`,
  );
}
