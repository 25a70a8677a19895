import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { planCluster } from "./cluster-plan.ts";

const postgres = (major: number) => ({
  major,
  binaryDirectory: `/usr/lib/postgresql/${major}/bin`,
});
const plan = (clusterMajors: number[], ...installed: number[]) =>
  planCluster({ clusterMajors, installed: installed.map(postgres), directory: "/data/postgresql" });

describe("planCluster", () => {
  test("makes the first cluster with the newest major", () => {
    assert.deepEqual(plan([], 17, 15), { action: "create", to: postgres(17), setAside: [] });
  });

  test("runs a cluster of the newest major", () => {
    assert.deepEqual(plan([15], 15), { action: "run", to: postgres(15), setAside: [] });
    assert.equal(plan([17], 15, 17).action, "run");
  });

  test("upgrades when a newer major is installed beside the cluster's", () => {
    assert.deepEqual(plan([15], 15, 17), {
      ...{ action: "upgrade", from: postgres(15), to: postgres(17), setAside: [] },
    });
  });

  test("sets aside what an upgrade was made of when it was ended before it did so", () => {
    const { action, to, setAside } = plan([15, 17], 15, 17);
    assert.deepEqual([action, to.major, setAside], ["run", 17, [15]]);
  });

  test("names the package and the dump when the cluster's major is not installed", () => {
    assert.throws(() => plan([15], 17), {
      message:
        /\/data\/postgresql\/15 is of PostgreSQL 15, and PostgreSQL 17 is installed.*apt-get install postgresql-15.*pg_dumpall.*Nothing was changed/,
    });
  });

  test("does not read a cluster of a newer major with an older server", () => {
    assert.throws(() => plan([17], 15), { message: /apt-get install postgresql-17/ });
  });

  test("names the package when there is no server at all", () => {
    assert.throws(() => plan([15]), { message: /apt-get install postgresql`.*DATABASE_URL/ });
  });
});
