import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";

/** What the resolver has returned to one sandbox: the names that an address was given for, the last one first. */
interface Given {
  readonly namesByAddress: LRUCache<string, readonly string[]>;
  lastName: string | undefined;
}

const sandboxesMax = 1024;
const addressesPerSandboxMax = 512;
const namesPerAddressMax = 8;
/** Aliases are 169.254.1.0 to 169.254.127.255: link-local, and neither the guest's own nor the metadata service's. */
const aliasesMax = 127 * 256;

/**
 * The responses that the resolver gave to each sandbox, by which a stream to an
 * address is known to be meant for a name. Bounded: a sandbox forgets what it
 * asked for longest ago.
 */
export class GivenNames {
  readonly #bySandbox = new LRUCache<string, Given>({ max: sandboxesMax });

  /** Notes that a name was given for addresses. */
  record(sandboxId: string, name: string, addresses: readonly string[]): void {
    const given = this.#of(sandboxId);
    given.lastName = name;
    for (const address of addresses) {
      const others = (given.namesByAddress.get(address) ?? []).filter((other) => other !== name);
      given.namesByAddress.set(address, [name, ...others].slice(0, namesPerAddressMax));
    }
  }

  namesAt(sandboxId: string, address: string): readonly string[] {
    return this.#bySandbox.get(sandboxId)?.namesByAddress.get(address) ?? [];
  }

  /** The name that the sandbox asked for last, for people to read. */
  lastNameOf(sandboxId: string): string | undefined {
    return this.#bySandbox.get(sandboxId)?.lastName;
  }

  /**
   * An address for a name that has none of its own for the guest, which no other
   * name of the sandbox has. It follows from the name, so that it is the same
   * in a fork and after a restart of the proxy.
   */
  aliasFor(sandboxId: string, name: string): string {
    const { namesByAddress } = this.#of(sandboxId);
    const start = aliasIndexOf(name);
    for (let step = 0; step < addressesPerSandboxMax; step += 1) {
      const address = aliasAt((start + step) % aliasesMax);
      const owner = namesByAddress.get(address)?.[0];
      if (owner === undefined || owner === name) return address;
    }
    return aliasAt(start);
  }

  #of(sandboxId: string): Given {
    const known = this.#bySandbox.get(sandboxId);
    if (known !== undefined) return known;
    const given: Given = {
      namesByAddress: new LRUCache({ max: addressesPerSandboxMax }),
      lastName: undefined,
    };
    this.#bySandbox.set(sandboxId, given);
    return given;
  }
}

/** The alias that a name has unless another name of the sandbox has it. */
export function usualAliasOf(name: string): string {
  return aliasAt(aliasIndexOf(name));
}

function aliasIndexOf(name: string): number {
  return createHash("sha256").update(name).digest().readUInt16BE(0) % aliasesMax;
}

function aliasAt(index: number): string {
  return `169.254.${1 + (index >> 8)}.${index & 255}`;
}
