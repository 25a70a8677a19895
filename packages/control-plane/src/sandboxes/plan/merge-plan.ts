import {
  boundFormerSecrets,
  type FormerSecret,
  isSameUse,
} from "../../former-secrets/former-secret.ts";
import { secretVariableNames } from "../../secret-kinds/secret-variables.ts";
import type { OpenLayers } from "../../secret-layers/open-layers.ts";
import { layerSecrets, type OpenSecret } from "../../secret-layers/secret-layer.ts";
import { mintSealedToken } from "../identity/sandbox-identity.ts";
import { assertEnvironmentFits, sandboxEnvironment } from "./sandbox-environment.ts";
import type { SandboxPlan } from "./sandbox-plan.ts";

/** A secret with the token that the sandbox has for it. */
export type SandboxSecret = OpenSecret & { token: string };

export interface MergedPlan {
  egressAllowlist: string[];
  secrets: SandboxSecret[];
  /** Every plain variable. It wins over a token of the same name. */
  envs: Record<string, string>;
  /** Values that the parent could use and the sandbox cannot. */
  formerSecrets: FormerSecret[];
}

/**
 * Lays the opened layers of a plan over each other.
 *
 * A secret that is new to the sandbox wins over an inherited plain variable;
 * the caller's own variables win over everything, and a new secret that they
 * hide is not stored. An inherited secret is kept in any case, under its token:
 * processes in the parent's memory use it. When the top layer has one
 * of the same name, that token has the top layer's value from now on,
 * and the parent's value becomes a former one.
 *
 * @throws {WireError} `limit_exceeded` when the variables are too many, or too large together.
 */
export function mergePlan(
  { inheritedEnvs, ownEnvs }: Pick<SandboxPlan, "inheritedEnvs" | "ownEnvs">,
  { base, top, inheritedFormerSecrets }: OpenLayers,
): MergedPlan {
  const inheritedTokens = new Map(
    base.secrets.flatMap(({ name, token }) => (token === null ? [] : [[name, token]])),
  );
  const newNames = new Set(
    [...base.secrets.filter(({ token }) => token === null), ...top.secrets].flatMap(
      secretVariableNames,
    ),
  );
  const envs = {
    ...Object.fromEntries(Object.entries(inheritedEnvs).filter(([name]) => !newNames.has(name))),
    ...ownEnvs,
  };
  const { egressAllowlist, secrets } = layerSecrets(base, top);
  const kept = secrets
    .filter(
      (secret) =>
        inheritedTokens.has(secret.name) ||
        !secretVariableNames(secret).some((name) => Object.hasOwn(ownEnvs, name)),
    )
    .map((secret) => ({
      ...secret,
      token: inheritedTokens.get(secret.name) ?? mintSealedToken(),
    }));
  assertEnvironmentFits(sandboxEnvironment(kept, envs));
  const formerSecrets = [...overridden(base.secrets, kept), ...inheritedFormerSecrets];
  return {
    egressAllowlist,
    secrets: kept,
    envs,
    formerSecrets: boundFormerSecrets(formerSecrets, new Date()),
  };
}

/** Uses that the parent had and the sandbox has not. */
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
