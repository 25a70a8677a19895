import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { egressPorts, refusalLogGroup } from "./egress.ts";
import { egressPortsOf, egressProxyName, egressProxyOf } from "./egress-proxies.ts";
import { serviceLimits } from "./limits.ts";
import { metadataService } from "./scaling.ts";

const indexes = Array.from({ length: serviceLimits.egressProxiesMax }, (_, index) => index);

describe("egressPortsOf", () => {
  test("the first proxy has the ports that slots send to", () => {
    assert.deepEqual(egressPortsOf(0), egressPorts);
  });

  test("no port is that of another proxy, or of the metadata service", () => {
    const ports = indexes.flatMap((index) => Object.values(egressPortsOf(index)));
    assert.equal(new Set([...ports, metadataService.port]).size, ports.length + 1);
  });
});

test("egressProxyName and refusalLogGroup: each proxy has its own", () => {
  assert.equal(egressProxyName(0), "egress-proxy");
  assert.equal(egressProxyName(1), "egress-proxy-2");
  for (const id of ["00000000", "ffffffff"]) {
    const groups = indexes.map((index) => refusalLogGroup(id, index));
    assert.equal(new Set(groups).size, indexes.length);
    assert.ok(groups.every((group) => group >= 0 && group < 2 ** 16));
  }
});

describe("egressProxyOf", () => {
  const slotAddress = (index: number) => {
    const place = 6 + index * 4;
    return `198.18.${4 + Math.floor(place / 256)}.${place % 256}`;
  };

  test("one proxy serves every address", () => {
    assert.equal(egressProxyOf(slotAddress(0), 1), 0);
    assert.equal(egressProxyOf("198.19.255.254", 1), 0);
  });

  for (const count of [2, 3, 7, serviceLimits.egressProxiesMax]) {
    test(`${count} proxies take the slots in turn`, () => {
      const first = egressProxyOf(slotAddress(0), count);
      for (let index = 0; index < 255; index += 1) {
        const expected = (first + index) % count;
        assert.equal(egressProxyOf(slotAddress(index), count), expected, slotAddress(index));
      }
    });
  }
});
