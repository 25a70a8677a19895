import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import type { Sandbox } from "@opencomputer/sdk";

const allowedHost = "api.example.test";
const otherHost = "other.example.test";
const plainHost = "plain.example.test";
const key = "sk-canary-enforcement-41d7c0e9b3a86f52";

/** Exit code 0 when a TCP connection opens, 1 when it is refused or times out. */
const connectTo = (address: string, port: number) =>
  `python3 - <<'END'
import socket, sys, time
started = time.time()
try:
    socket.create_connection(("${address}", ${port}), timeout=5).close()
except OSError as error:
    print(type(error).__name__, round(time.time() - started))
    sys.exit(1)
END`;

type Place = readonly [address: string, port: number];
/** Prints each place as `address:port`, with the name of the error that ends the attempt. */
const connectToEach = (places: readonly Place[]) =>
  `python3 - <<'END'
import socket
for place in ${JSON.stringify(places)}:
    try:
        socket.create_connection(tuple(place), timeout=5).close()
        outcome = "open"
    except OSError as error:
        outcome = type(error).__name__
    print(f"{place[0]}:{place[1]}", outcome)
END`;

describe("egress is enforced by construction", () => {
  let scenario: Scenario;
  let allowlisted: Sandbox;
  let intercepted: Sandbox;
  let open: Sandbox;
  let hostService: Server;

  before(async () => {
    scenario = await startSharedScenario({
      hosts: [allowedHost, otherHost],
      plainHosts: [plainHost],
    });
    const strict = await scenario.createStore({
      egressAllowlist: [allowedHost, plainHost],
      secrets: { API_KEY: key },
    });
    const lenient = await scenario.createStore({ secrets: { API_KEY: key } });
    allowlisted = await scenario.createSandbox({ secretStore: strict.name });
    intercepted = await scenario.createSandbox({ secretStore: lenient.name });
    open = await scenario.createSandbox();
    hostService = createServer((socket) => socket.destroy()).listen(0, "0.0.0.0");
    await once(hostService, "listening");
  });
  after(async () => {
    hostService.close();
    assert.deepEqual(await scenario.end(), []);
  });

  test("no environment variable is needed: an empty environment is intercepted, too", async () => {
    const result = await allowlisted.exec.run(
      `T=$API_KEY; env -i /usr/bin/curl -sS https://${allowedHost}/ -H "authorization: Bearer $T"`,
    );
    assert.equal(result.exitCode, 0, result.stderr);
    const request = scenario.internet.requestsTo(allowedHost).at(-1);
    assert.equal(request?.headers["authorization"], `Bearer ${key}`);
  });

  test("the address that the guest chooses has no effect: name and policy decide", async () => {
    const allowed = await allowlisted.exec.run(
      `curl -sS -w '%{http_code}' --resolve ${allowedHost}:443:203.0.113.9 https://${allowedHost}/`,
    );
    assert.match(allowed.stdout, /200$/);
    const refused = await allowlisted.exec.run(
      `curl -sS -w '%{http_code}' --resolve ${otherHost}:443:203.0.113.9 https://${otherHost}/`,
    );
    assert.match(refused.stdout, /403$/);
  });

  test("a Host that differs from the server name is refused", async () => {
    const result = await allowlisted.exec.run(
      `curl -sS -w '%{http_code}' https://${allowedHost}/ -H 'Host: ${otherHost}'`,
    );
    assert.match(result.stdout, /421$/);
    assert.deepEqual(scenario.internet.requestsTo(otherHost), []);
  });

  for (const port of [22, 25, 53, 5432, 8443]) {
    test(`an allowlisted sandbox cannot open tcp/${port}, and is refused at once`, async () => {
      const result = await allowlisted.exec.run(connectTo("203.0.113.9", port));
      // The resolver responds on port 53, whatever address is asked.
      if (port === 53) return assert.equal(result.exitCode, 0);
      // A dropped packet would take until the time-out, after five seconds.
      assert.match(result.stdout, /^ConnectionRefusedError [0-3]\b/);
    });
  }

  test("no sandbox reaches the host, private ranges, or another sandbox", async () => {
    const address = hostService.address();
    assert.ok(address !== null && typeof address === "object");
    const apiPort = Number(new URL(scenario.installation.apiUrl).port);
    const places: Place[] = [
      ["169.254.0.1", address.port],
      ["169.254.0.1", apiPort],
      ["127.0.0.1", apiPort],
      ["10.0.0.1", 5432],
      ["172.16.0.1", 5432],
      ["192.168.0.1", 5432],
      ["169.254.169.254", 8000],
      ["198.18.0.5", 7070],
      ["192.0.2.2", address.port],
    ];
    for (const sandbox of [allowlisted, intercepted, open]) {
      const { stdout } = await sandbox.exec.run(connectToEach(places), { timeout: 120 });
      const outcomes = stdout.trim().split("\n");
      assert.equal(outcomes.length, places.length, stdout);
      for (const [index, place] of places.entries()) {
        assert.match(outcomes[index] ?? "", new RegExp(`^${place.join(":")} \\w*Error$`));
      }
    }
  });

  test("UDP leaves an allowlisted sandbox for its resolver only", async () => {
    const result = await allowlisted.exec.run(`python3 - <<'END'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
try:
    s.connect(("203.0.113.9", 443))
    s.send(b"x")
    s.recv(10)
    print("answered")
except OSError as error:
    print(type(error).__name__)
END`);
    assert.match(result.stdout, /ConnectionRefusedError|PermissionError|OSError/);
  });

  test("plain HTTP passes to an allowed host and carries the token, never the value", async () => {
    const result = await allowlisted.exec.run(
      `curl -sS -w '%{http_code}' http://${plainHost}/ -H "x-api-key: $API_KEY" && printenv API_KEY`,
    );
    assert.match(result.stdout, /200/);
    const token = result.stdout.trim().split("\n").at(-1) ?? "";
    const received = scenario.internet.requestsTo(plainHost).at(-1);
    assert.ok(received?.headers["x-api-key"]?.endsWith(token.slice(-32)));
    assert.ok(!JSON.stringify(received).includes(key));
    const refused = await allowlisted.exec.run(
      `curl -sS -w '%{http_code}' http://${otherHost}/ -H "x-api-key: $API_KEY"`,
    );
    assert.match(refused.stdout, /403$/);
  });

  test("a store without an allowlist opens every host to its secrets", async () => {
    await intercepted.exec.run(`curl -sS https://${otherHost}/ -H "x-api-key: $API_KEY"`);
    assert.equal(scenario.internet.requestsTo(otherHost).at(-1)?.headers["x-api-key"], key);
  });

  test("a sandbox without a store reaches the operator's hosts and has no secret", async () => {
    const result = await open.exec.run(
      `curl -sS -w '%{http_code}' https://${allowedHost}/ -H "x-api-key: \${API_KEY:-none}"`,
    );
    assert.match(result.stdout, /200$/, result.stderr);
    assert.equal(scenario.internet.requestsTo(allowedHost).at(-1)?.headers["x-api-key"], "none");
  });

  test("a token of one sandbox has no effect in another", async () => {
    const { stdout } = await intercepted.exec.run("printenv API_KEY");
    await allowlisted.exec.run(`curl -sS https://${allowedHost}/ -H "x-api-key: ${stdout.trim()}"`);
    const received = scenario.internet.requestsTo(allowedHost).at(-1);
    assert.equal(received?.headers["x-api-key"], stdout.trim());
  });

  test("a guest that changes its packet filter and routes is still confined", async () => {
    await allowlisted.exec.run(
      "sudo ip addr add 10.0.0.7/24 dev eth0; sudo ip route add 203.0.113.0/24 dev eth0",
    );
    const result = await allowlisted.exec.run(connectTo("203.0.113.9", 5432));
    assert.equal(result.exitCode, 1);
  });
});
