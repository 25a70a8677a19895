import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { OpenDatabase } from "../../database/database.ts";
import { openServerDatabase } from "../../database/open-server-database.ts";
import { eq, sql } from "../../database/query-builder.ts";
import { sandboxes as sandboxTable } from "../../database/schema.ts";
import { ensureOrg } from "../../orgs/org-repository.ts";
import { type PostgresCluster, startPostgresCluster } from "../../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../../testing/recording-logger.ts";
import { mintSandboxId } from "../identity/sandbox-identity.ts";
import {
  createSandboxRepository,
  type HeldSandboxRow,
  type SandboxRepository,
} from "../rows/sandbox-repository.ts";
import { createTransitionRepository } from "../rows/transition-repository.ts";
import { createTransitions, type Transitions } from "./transitions.ts";

describe("the transitions of two control planes on one database", () => {
  const { logger } = createRecordingLogger();
  let cluster: PostgresCluster;
  let opened: OpenDatabase;
  let sandboxes: SandboxRepository;
  let orgId: string;
  let id: string;
  let first: Transitions;
  let second: Transitions;

  before(async () => {
    cluster = await startPostgresCluster();
    opened = await openServerDatabase(await cluster.createDatabase(), logger);
    orgId = await ensureOrg(opened.database, "default");
    sandboxes = createSandboxRepository(opened.database);
  });
  after(async () => {
    await opened.close();
    await cluster.stop();
  });

  const controlPlane = (home: string): Transitions =>
    createTransitions({
      transitions: createTransitionRepository(opened.database),
      ...{ sandboxes, home, logger },
    });

  beforeEach(async () => {
    id = mintSandboxId();
    await insert(id, "running");
    first = controlPlane("first");
    second = controlPlane("second");
  });

  async function insert(sandboxId: string, state: "running" | "stopped"): Promise<void> {
    await opened.database.execute(
      sql`insert into sandboxes (id, org_id, state, template_id, cpu_count, memory_mb,
            idle_timeout_seconds, metadata, tags, egress_mode, egress_allowlist, started_at, last_active_at)
          values (${sandboxId}, ${orgId}, ${state}, 'base', 1, 1024, 300, '{}', '{}', 'open', '[]', now(), now())`,
    );
  }

  async function letDeadlinePass(): Promise<void> {
    await opened.database
      .update(sandboxTable)
      .set({ transitionDeadlineAt: sql`now()` })
      .where(eq(sandboxTable.id, id));
  }

  /** Holds the sandbox until `release` is called. */
  async function holdOpen(transitions: Transitions) {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let row: HeldSandboxRow | undefined;
    let ended: Promise<unknown> = Promise.resolve();
    await new Promise<void>((resolve) => {
      ended = transitions.hold(orgId, id, async (held) => {
        row = held;
        resolve();
        await released;
      });
    });
    assert.ok(row);
    return { row, release, ended };
  }

  test("the second waits until the first has ended its transition", async () => {
    const { release, ended } = await holdOpen(first);
    let begun = false;
    const waiting = second.hold(orgId, id, async (row) => {
      begun = true;
      return row.state;
    });
    await delay(100);
    assert.equal(begun, false);
    release();
    await ended;
    assert.deepEqual(await waiting, { result: "running" });
    assert.equal((await sandboxes.find(orgId, id))?.transitionId, null);
  });

  test("a failure ends the transition", async () => {
    await assert.rejects(
      first.hold(orgId, id, async () => {
        throw new Error("failed half-way");
      }),
      /failed half-way/,
    );
    assert.deepEqual(await second.hold(orgId, id, async () => "held"), { result: "held" });
  });

  test("after the deadline the second takes over, and the first changes nothing any more", async () => {
    const { row, release, ended } = await holdOpen(first);
    await letDeadlinePass();
    await second.hold(orgId, id, async (taken) => {
      assert.notEqual(taken.transitionId, row.transitionId);
      assert.equal(await sandboxes.changeHeld(row, { state: "hibernating" }), false);
      assert.ok(await sandboxes.changeHeld(taken, { state: "hibernating" }));
      release();
      await ended;
      const present = await sandboxes.find(orgId, id);
      assert.equal(present?.transitionId, taken.transitionId, "the first ended only its own");
      assert.equal(present.state, "hibernating");
    });
  });

  test("a transition that is renewed stays its owner's", async () => {
    const { release, ended } = await holdOpen(first);
    await letDeadlinePass();
    const owner = (await sandboxes.find(orgId, id))?.transitionOwner ?? "";
    const repository = createTransitionRepository(opened.database);
    await repository.renew("second/other", [id]);
    assert.ok(
      ((await sandboxes.find(orgId, id))?.transitionDeadlineAt?.getTime() ?? 0) <= Date.now(),
    );
    await repository.renew(owner, [id]);
    const waiting = second.hold(orgId, id, async () => "held");
    await delay(50);
    assert.equal((await sandboxes.find(orgId, id))?.transitionOwner, owner);
    release();
    await ended;
    await waiting;
  });

  test("a kill goes ahead, and the holder finds another state", async () => {
    const { row, release, ended } = await holdOpen(first);
    assert.ok(await sandboxes.change(orgId, id, ["running"], { state: "killing" }));
    assert.equal(await sandboxes.changeHeld(row, { state: "hibernating" }), false);
    assert.equal(await second.hold(orgId, id, async () => "held"), undefined);
    release();
    await ended;
  });

  test("only a later process of the same data directory ends transitions before their deadline", async () => {
    const { row } = await holdOpen(first);
    await controlPlane("second").endFormer();
    assert.equal((await sandboxes.find(orgId, id))?.transitionId, row.transitionId);
    await controlPlane("first").endFormer();
    assert.deepEqual(await second.hold(orgId, id, async () => "held"), { result: "held" });
    assert.equal(await sandboxes.changeHeld(row, { state: "hibernating" }), false);
  });

  test("an absent, a foreign and a stopped sandbox are not held", async () => {
    const stopped = mintSandboxId();
    await insert(stopped, "stopped");
    const foreignOrg = await ensureOrg(opened.database, "foreign");
    for (const [org, sandboxId] of [
      [orgId, mintSandboxId()],
      [foreignOrg, id],
      [orgId, stopped],
    ] as const) {
      assert.equal(await first.hold(org, sandboxId, async () => assert.fail()), undefined);
    }
  });

  test("callers of one control plane are served in order", async () => {
    const order: number[] = [];
    await Promise.all(
      [1, 2, 3].map((caller) =>
        first.hold(orgId, id, async () => {
          order.push(caller);
        }),
      ),
    );
    assert.deepEqual(order, [1, 2, 3]);
    assert.equal(first.isHeld(id), false);
  });
});
