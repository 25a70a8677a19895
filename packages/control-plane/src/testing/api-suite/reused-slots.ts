import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeEgressProxy } from "../fake-egress-proxy.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeReusedSlots(openDatabase: OpenTestDatabase): void {
  describeWithInstallation(
    "slots that another org's sandbox gets",
    openDatabase,
    (installation) => {
      const call: ReturnType<typeof installation>["call"] = (...parameters) =>
        installation().call(...parameters);
      const makeStore = async (name: string): Promise<string> => {
        const { id } = (await call("POST", "/api/secret-stores", { body: { name } })).json;
        await setSecret(id, "v1");
        return id;
      };
      const setSecret = (store: string, value: string) =>
        call("PUT", `/api/secret-stores/${store}/secrets/K`, { body: { value } });
      const create = async (body: unknown = {}, key?: string): Promise<string> => {
        const options = key === undefined ? { body } : { body, key };
        return (await call("POST", "/api/sandboxes", options)).json.sandboxID;
      };
      const addressOf = (id: string): string => {
        const address = installation().egressProxy.sessions.get(id)?.sourceAddress;
        assert.ok(address !== undefined, `${id} has a session`);
        return address;
      };
      /** Creates a sandbox of the other org in a slot that was just closed. */
      const createIn = async (address: string, key: string): Promise<string> => {
        installation().worker.closedSlots.push(address);
        const id = await create({}, key);
        assert.equal(addressOf(id), address);
        return id;
      };
      /** Ends a machine as its guest can: by itself, which only the worker knows. */
      const endMachine = (id: string): void => {
        const machine = installation().worker.machines.get(id);
        assert.ok(machine !== undefined);
        machine.state = "hibernated";
        machine.sourceAddress = null;
        machine.machineId = null;
        machine.lostBecause = "its machine ended by itself";
      };
      const ownersOf = ({ sessions }: FakeEgressProxy, address: string): string[] =>
        [...sessions.values()]
          .filter(({ sourceAddress }) => sourceAddress === address)
          .map(({ sandboxId }) => sandboxId);

      test("a rotation takes nothing back for a sandbox whose machine has ended unnoticed", async () => {
        const { egressProxy } = installation();
        const other = await installation().secondOrgKey();
        const store = await makeStore("ended");
        const ended = await create({ secretStore: "ended" });
        const address = addressOf(ended);
        endMachine(ended);
        const owner = await createIn(address, other);
        assert.equal((await setSecret(store, "v2")).status, 200);
        assert.deepEqual(ownersOf(egressProxy, address), [owner]);
        await egressProxy.restart();
        await eventually(() => egressProxy.sessions.has(owner), "the proxy is filled");
        assert.deepEqual(ownersOf(egressProxy, address), [owner]);
        const status = async () => (await call("GET", `/api/sandboxes/${ended}`)).json.status;
        await eventually(async () => (await status()) === "hibernated", "the end is noticed");
        await call("POST", `/api/sandboxes/${ended}/exec/run`, { body: { cmd: "true" } });
        assert.equal(
          egressProxy.sessions.get(ended)?.secrets[0]?.value,
          "v2",
          "it wakes elsewhere",
        );
        assert.notEqual(addressOf(ended), address);
      });

      test("neither does a hand-over that was under way when the sandbox was killed", async () => {
        const { egressProxy } = installation();
        const other = await installation().secondOrgKey();
        const store = await makeStore("killed");
        const killed = await create({ secretStore: "killed" });
        const address = addressOf(killed);
        let deliver = (): void => undefined;
        let rotation: Promise<unknown> = Promise.resolve();
        await new Promise<void>((begun) => {
          egressProxy.before = async (step, id) => {
            if (step !== "put" || id !== killed) return;
            begun();
            await new Promise<void>((resolve) => {
              deliver = resolve;
            });
          };
          rotation = setSecret(store, "v2");
        });
        const killing = call("DELETE", `/api/sandboxes/${killed}`);
        await eventually(
          () => !installation().worker.machines.has(killed),
          "the machine is removed before its session",
        );
        const owner = await createIn(address, other);
        deliver();
        await rotation;
        assert.equal((await killing).status, 204);
        assert.deepEqual(ownersOf(egressProxy, address), [owner]);
        egressProxy.before = async () => undefined;
      });
    },
  );
}
