import type { Database } from "../database/database.ts";
import type { FormerSecret } from "../former-secrets/former-secret.ts";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import { openCheckpointLayer } from "./open-checkpoint-layer.ts";
import { openNamedStoreLayer, openStoreLayer, type StoreLayerDeps } from "./open-store-layer.ts";
import { emptyLayer, type LayerSource, type OpenLayer } from "./secret-layer.ts";

export interface OpenLayersDeps extends StoreLayerDeps {
  formerSecrets: FormerSecretRepository;
}

/** The layers that a sandbox is made with, decrypted. */
export interface OpenLayers {
  base: OpenLayer;
  top: OpenLayer;
  /** What the parent could use before. */
  inheritedFormerSecrets: readonly FormerSecret[];
}

/**
 * Opens the layers that a plan names. The org is locked, so no secret is
 * rotated between this and the storing of the copies.
 *
 * @throws {WireError} `secret_store_not_found`, `checkpoint_not_found`
 */
export async function openLayers(
  deps: OpenLayersDeps,
  transaction: Database,
  orgId: string,
  { base, top }: { base: LayerSource; top: LayerSource },
): Promise<OpenLayers> {
  return {
    base: await openSource(deps, transaction, orgId, base),
    top: await openSource(deps, transaction, orgId, top),
    inheritedFormerSecrets:
      base.kind === "checkpoint"
        ? await deps.formerSecrets.list(
            transaction,
            { kind: "checkpoint", orgId, ids: [base.checkpointId] },
            new Date(),
          )
        : [],
  };
}

async function openSource(
  deps: OpenLayersDeps,
  transaction: Database,
  orgId: string,
  source: LayerSource,
): Promise<OpenLayer> {
  switch (source.kind) {
    case "none":
      return emptyLayer;
    case "store":
      return openNamedStoreLayer(deps, transaction, orgId, source.name);
    case "project":
      return openStoreLayer(deps, transaction, orgId, source.storeId);
    case "checkpoint":
      return openCheckpointLayer(deps, transaction, orgId, source.checkpointId);
  }
}
