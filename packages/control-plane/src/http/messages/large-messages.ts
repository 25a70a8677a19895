/** A request or a response of which so much is in memory, or may come to be. */
export interface LargeMessage {
  readonly bytes: number;
  /** Ends its connection. */
  drop(): void;
}

/** The messages of one org, oldest first. */
interface OrgMessages {
  bytes: number;
  readonly messages: Set<LargeMessage>;
}

/** Large messages that wait in memory for their clients. */
export interface LargeMessages {
  /**
   * Counts a message of an org. While all together are over the bound, the org that has
   * the most loses its oldest: of its clients, the one that had the most time.
   * The returned function ends the counting.
   */
  add(orgId: string, message: LargeMessage): () => void;
}

export function createLargeMessages(options: { bytesTotalMax: number }): LargeMessages {
  const byOrg = new Map<string, OrgMessages>();
  let bytesTotal = 0;

  function remove(orgId: string, message: LargeMessage): void {
    const org = byOrg.get(orgId);
    if (org?.messages.delete(message) !== true) return;
    org.bytes -= message.bytes;
    bytesTotal -= message.bytes;
    if (org.messages.size === 0) byOrg.delete(orgId);
  }

  /** Returns whether there was one besides the message that was added last. */
  function dropOldest(added: LargeMessage): boolean {
    const [most] = [...byOrg].sort(([, one], [, other]) => other.bytes - one.bytes);
    if (most === undefined) return false;
    const [orgId, { messages }] = most;
    const [oldest] = messages;
    if (oldest === undefined || oldest === added) return false;
    remove(orgId, oldest);
    oldest.drop();
    return true;
  }

  return {
    add(orgId, message) {
      const org = byOrg.get(orgId) ?? { bytes: 0, messages: new Set() };
      byOrg.set(orgId, org);
      org.messages.add(message);
      org.bytes += message.bytes;
      bytesTotal += message.bytes;
      while (bytesTotal > options.bytesTotalMax && dropOldest(message));
      return () => remove(orgId, message);
    },
  };
}
