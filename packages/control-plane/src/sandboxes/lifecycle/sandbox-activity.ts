/** The time of the last operation is stored at most this often. */
const writeIntervalMilliseconds = 5_000;

interface Activity {
  lastActiveAt: number;
  writtenAt: number;
  operations: number;
  previews: number;
  interrupts: Set<Interrupt>;
}

type Interrupt = (reason: Error) => void;

/** An operation of the API, or a visit to a preview, which does not count towards the limit of operations. */
export type UseKind = "operation" | "preview";

/**
 * Tracks when each sandbox was last used, ahead of the database: an operation costs
 * a write only every few seconds, and one under way counts as use until it
 * ends. After a crash the idle timer is off by those few seconds.
 */
export interface SandboxActivity {
  /**
   * Begins an operation; the function that is returned ends it, once.
   *
   * @param interrupt Called when the sandbox is hibernated or replaced during the operation.
   */
  begin(sandboxId: string, interrupt?: Interrupt, kind?: UseKind): () => void;
  /** Has a lasting connection interrupted too, which is no operation. The function that is returned ends it. */
  watch(sandboxId: string, interrupt: Interrupt): () => void;
  /** Interrupts the operations under way and the connections that are watched. */
  interrupt(sandboxId: string, reason: Error): void;
  /** Returns the later of the stored time and the time known here. */
  lastActiveAt(sandboxId: string, stored: Date): Date;
  /** Counts the operations of the API that are under way. */
  operations(sandboxId: string): number;
  /** Whether anything is under way. */
  isInUse(sandboxId: string): boolean;
  forget(sandboxId: string): void;
}

/** @param write Stores the time of the last operation; handles its own failures. */
export function createSandboxActivity(options: {
  now: () => number;
  write: (sandboxId: string, at: Date) => void;
}): SandboxActivity {
  const { now, write } = options;
  const activities = new Map<string, Activity>();
  const connections = new Map<string, Set<Interrupt>>();

  function touch(sandboxId: string, activity: Activity): void {
    activity.lastActiveAt = now();
    if (activity.lastActiveAt - activity.writtenAt < writeIntervalMilliseconds) return;
    activity.writtenAt = activity.lastActiveAt;
    write(sandboxId, new Date(activity.lastActiveAt));
  }

  return {
    begin(sandboxId, interrupt, kind = "operation") {
      const activity = activities.get(sandboxId) ?? {
        lastActiveAt: 0,
        writtenAt: 0,
        operations: 0,
        previews: 0,
        interrupts: new Set(),
      };
      activities.set(sandboxId, activity);
      const counter = kind === "preview" ? "previews" : "operations";
      activity[counter] += 1;
      if (interrupt !== undefined) activity.interrupts.add(interrupt);
      touch(sandboxId, activity);
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        activity[counter] -= 1;
        if (interrupt !== undefined) activity.interrupts.delete(interrupt);
        if (activities.get(sandboxId) === activity) touch(sandboxId, activity);
      };
    },

    watch(sandboxId, interrupt) {
      const watched = connections.get(sandboxId) ?? new Set();
      connections.set(sandboxId, watched.add(interrupt));
      return () => {
        watched.delete(interrupt);
        if (watched.size === 0 && connections.get(sandboxId) === watched) {
          connections.delete(sandboxId);
        }
      };
    },

    interrupt(sandboxId, reason) {
      for (const interrupt of activities.get(sandboxId)?.interrupts ?? []) interrupt(reason);
      for (const interrupt of connections.get(sandboxId) ?? []) interrupt(reason);
    },

    lastActiveAt(sandboxId, stored) {
      const activity = activities.get(sandboxId);
      if (activity === undefined) return stored;
      const known = isUnderWay(activity) ? now() : activity.lastActiveAt;
      return known > stored.getTime() ? new Date(known) : stored;
    },

    operations: (sandboxId) => activities.get(sandboxId)?.operations ?? 0,

    isInUse(sandboxId) {
      const activity = activities.get(sandboxId);
      return activity !== undefined && isUnderWay(activity);
    },

    forget(sandboxId) {
      activities.delete(sandboxId);
    },
  };
}

function isUnderWay({ operations, previews }: Activity): boolean {
  return operations + previews > 0;
}
