import type { SecretStoreRecord } from "@opencomputer/sdk";
import { parseLines } from "../parts/parse-lines.ts";

/** The fields of a store's form, as they are typed. */
export interface StoreForm {
  name: string;
  /** One host in each line. */
  allowlist: string;
  /** One placement in each line. */
  placements: string;
}

export function storeForm(store?: SecretStoreRecord): StoreForm {
  return {
    name: store?.name ?? "",
    allowlist: (store?.egressAllowlist ?? []).join("\n"),
    placements: (store?.substituteIn ?? []).join("\n"),
  };
}

/** What is sent: an empty list clears what a store has. */
export function storeFields(form: StoreForm) {
  return { egressAllowlist: parseLines(form.allowlist), substituteIn: parseLines(form.placements) };
}

/** The command line that creates the same store. */
export function createStoreCommand(form: StoreForm): string[] {
  return ["oc", "secret-store", "create", "--name", form.name || "NAME", ...listFlags(form)];
}

/** The command line that changes a store to what the form has. */
export function updateStoreCommand(id: string, form: StoreForm): string[] {
  const { egressAllowlist, substituteIn } = storeFields(form);
  return [
    ...["oc", "secret-store", "update", id, "--name", form.name],
    ...listFlags(form),
    ...(egressAllowlist.length === 0 ? ["--clear-egress-allowlist"] : []),
    ...(substituteIn.length === 0 ? ["--clear-substitute-in"] : []),
  ];
}

function listFlags(form: StoreForm): string[] {
  const { egressAllowlist, substituteIn } = storeFields(form);
  return [
    ...egressAllowlist.flatMap((host) => ["--egress-allowlist", host]),
    ...(substituteIn.length === 0 ? [] : ["--substitute-in", substituteIn.join(",")]),
  ];
}
