import assert from "node:assert/strict";
import { test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { checkpoints, sandboxes, sandboxFormerSecrets } from "../../database/schema.ts";
import { createSeededRandom } from "../seeded-random.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const seed = 20_261_121;
const rounds = 60;
const settledStates = ["running", "hibernated", "stopped"];

/** What was acknowledged to the caller. */
interface Acknowledged {
  sandboxes: Set<string>;
  /** By checkpoint id, the sandbox it was made of. */
  checkpoints: Map<string, string>;
}

export function describeRandomFailures(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("random failures", openDatabase, (installation) => {
    const random = createSeededRandom(String(seed));
    const pick = <Item>(items: readonly Item[]): Item | undefined =>
      items[Math.floor(random() * items.length)];
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    let secretPath = "";
    const there: Acknowledged = { sandboxes: new Set(), checkpoints: new Map() };
    const run = (id: string) =>
      call("POST", `/api/sandboxes/${id}/exec/run`, { body: { cmd: "env" } });
    const envsOf = async (id: string) => JSON.parse((await run(id)).json.stdout);

    async function create(): Promise<void> {
      const response = await call("POST", "/api/sandboxes", {
        body: { secretStore: "s", timeout: 0, envs: { PLAIN: "p" } },
      });
      if (response.status === 201) there.sandboxes.add(response.json.sandboxID);
    }
    async function fork(): Promise<void> {
      const cid = pick([...there.checkpoints.keys()]);
      if (cid === undefined) return;
      const body = { timeout: 0 };
      const response = await call("POST", `/api/sandboxes/from-checkpoint/${cid}`, { body });
      if (response.status === 201) there.sandboxes.add(response.json.sandboxID);
    }
    async function kill(id: string): Promise<void> {
      there.sandboxes.delete(id);
      await call("DELETE", `/api/sandboxes/${id}`);
    }
    async function checkpoint(id: string): Promise<void> {
      const path = `/api/sandboxes/${id}/checkpoints`;
      const body = {
        name: `c${random()}`,
        kind: random() < 0.5 ? "full" : "disk_only",
        retentionPolicy: { mode: "none" },
      };
      const response = await call("POST", path, { body });
      if (response.status === 201) there.checkpoints.set(response.json.id, id);
    }
    async function restore(): Promise<void> {
      const [cid, id] = pick([...there.checkpoints]) ?? [];
      if (cid === undefined) return;
      await call("POST", `/api/sandboxes/${id}/checkpoints/${cid}/restore`);
    }
    async function deleteCheckpoint(): Promise<void> {
      const [cid = "", id] = pick([...there.checkpoints]) ?? [];
      there.checkpoints.delete(cid);
      await call("DELETE", `/api/sandboxes/${id}/checkpoints/${cid}`);
    }

    let rotations = 0;
    async function rotate(): Promise<void> {
      rotations += 1;
      await call("PUT", secretPath, { body: { value: `value ${rotations}` } });
    }

    async function act(): Promise<void> {
      const id = pick([...there.sandboxes]);
      if (id === undefined || there.sandboxes.size < 4) return create();
      const actions: (() => Promise<unknown>)[] = [
        create,
        fork,
        () => kill(id),
        ...Array.from({ length: 3 }, () => () => call("POST", `/api/sandboxes/${id}/hibernate`)),
        () => call("POST", `/api/sandboxes/${id}/wake`),
        () => run(id),
        () => run(id),
        ...Array.from({ length: 3 }, () => () => checkpoint(id)),
        restore,
        deleteCheckpoint,
        rotate,
      ];
      await pick(actions)?.();
    }

    /** Something goes wrong in about every third round, for the length of the round. */
    async function disturb(): Promise<void> {
      const { worker, egressProxy } = installation();
      const failing = pick(["hibernate", "wake", "start", "prepare", "restore", "checkpoint"]);
      const lost = pick(["/hibernate", "/wake", "/start", "/restore", "/checkpoints/", "/v1/"]);
      const disturbances: (() => Promise<unknown>)[] = [
        async () => {
          worker.before = async (step) => {
            if (step === failing) throw new WireError("internal_error", "it fails");
          };
        },
        async () => {
          worker.losesResponse = (request) =>
            !request.startsWith("GET") && request.includes(lost ?? "");
        },
        async () => {
          egressProxy.before = async () => {
            throw new Error("it fails");
          };
        },
        () => worker.restart(),
        () => egressProxy.restart(),
        () => installation().restart(),
      ];
      if (random() < 0.35) await pick(disturbances)?.();
    }

    function calm(): void {
      const { worker, egressProxy } = installation();
      worker.before = async () => undefined;
      worker.losesResponse = () => false;
      egressProxy.before = async () => undefined;
    }

    test(`${rounds} rounds with seed ${seed}: what was acknowledged exists and works`, async () => {
      const { worker, egressProxy, database } = installation();
      const store = (await call("POST", "/api/secret-stores", { body: { name: "s" } })).json.id;
      secretPath = `/api/secret-stores/${store}/secrets/K`;
      await call("PUT", secretPath, { body: { value: "first" } });
      for (let round = 0; round < rounds; round += 1) {
        const actions = Array.from({ length: 3 }, () => act().catch(lostConnection));
        await disturb();
        await Promise.all(actions);
        calm();
      }
      await installation().restart();
      await worker.restart();
      await eventually(async () => {
        const rows = await database.select({ state: sandboxes.state }).from(sandboxes);
        return rows.every(({ state }) => settledStates.includes(state));
      }, "every sandbox is settled");
      assert.equal((await call("PUT", secretPath, { body: { value: "last" } })).status, 200);

      for (const id of there.sandboxes) {
        assert.equal((await run(id)).status, 200, `${id} works`);
        const session = egressProxy.sessions.get(id);
        assert.ok(session !== undefined, `${id} has a session`);
        const machine = worker.machines.get(id);
        assert.equal(session.sourceAddress, machine?.sourceAddress);
        assert.equal(session.machineId, machine?.machineId);
        assert.deepEqual(
          session.secrets.map(({ value }) => value),
          ["last"],
        );
        assert.ok(session.formerSecrets.length > 0, "the value before the last is searched for");
        for (const { token, value } of session.formerSecrets) {
          assert.equal(token, session.secrets[0]?.token);
          assert.notEqual(value, "last");
        }
        assert.deepEqual(await envsOf(id), { K: session.secrets[0]?.token, PLAIN: "p" });
      }
      const live = (await call("GET", "/api/sandboxes")).json.map(
        (row: { sandboxID: string }) => row.sandboxID,
      );
      assert.deepEqual(new Set(worker.machines.keys()), new Set(live), "no machine leaks");
      for (const id of egressProxy.sessions.keys())
        assert.ok(live.includes(id), "no session leaks");
      const owners = await database
        .select({ id: sandboxFormerSecrets.ownerId })
        .from(sandboxFormerSecrets);
      for (const { id } of owners) assert.ok(live.includes(id), "no former value leaks");
      const known = new Set<string>();
      for (const [cid, id] of there.checkpoints) {
        const rows = (await call("GET", `/api/sandboxes/${id}/checkpoints`)).json;
        const status = rows.find((row: { id: string }) => row.id === cid)?.status;
        assert.ok(["ready", "failed"].includes(status), `checkpoint ${cid} is ${status}`);
        if (status !== "ready") continue;
        known.add(cid);
        const fork = await call("POST", `/api/sandboxes/from-checkpoint/${cid}`, { body: {} });
        assert.equal(fork.status, 201);
        assert.equal(egressProxy.sessions.get(fork.json.sandboxID)?.secrets[0]?.value, "last");
      }
      assert.ok(there.sandboxes.size > 3 && known.size > 3, "there was something to lose");
      const rows = await database.select({ id: checkpoints.id }).from(checkpoints);
      const ids = new Set(rows.map(({ id }) => id));
      for (const id of worker.checkpoints.keys()) assert.ok(ids.has(id), "no checkpoint leaks");
    });
  });
}

/** The control plane ends its connections when it is restarted. */
function lostConnection(error: unknown): void {
  if (!(error instanceof TypeError)) throw error;
}
