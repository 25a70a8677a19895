/**
 * Programs that have drawn random numbers before their machine is saved. Each writes
 * `ready-<name>` then, waits for `/tmp/draw`, and writes what it draws next to `drawn-<name>`,
 * as JSON of texts.
 */
export interface DrawingProgram {
  readonly name: string;
  /** Path and content of its source. */
  readonly source: readonly [path: string, text: string];
  readonly command: string;
  /** What must differ in every machine that is restored from one memory. */
  readonly renewed: readonly string[];
  /** What is the same in all of them, as in the guide. */
  readonly kept: readonly string[];
}

const node = (name: string) => `
const crypto = require("node:crypto");
const fs = require("node:fs");
const vm = require("node:vm");
const { Worker, isMainThread, parentPort } = require("node:worker_threads");
const other = vm.createContext();
const draw = () => ({
  randomBytes: crypto.randomBytes(16).toString("hex"),
  randomUUID: crypto.randomUUID(),
  webUUID: globalThis.crypto.randomUUID(),
  getRandomValues: Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(16))).toString("hex"),
  randomInt: Array.from({ length: 4 }, () => crypto.randomInt(2 ** 47)).join(),
  mathRandom: Array.from({ length: 4 }, Math.random).join(),
  privateKey: crypto.generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }),
  otherContext: vm.runInContext("Math.random()", other).toString(),
});
draw();
if (!isMainThread) {
  parentPort.on("message", () => parentPort.postMessage(draw()));
} else {
  const worker = new Worker(__filename);
  worker.once("online", () => fs.writeFileSync("/tmp/ready-${name}", ""));
  worker.on("message", (drawn) => {
    const all = Object.entries(drawn).map(([name, value]) => ["worker " + name, value]);
    fs.writeFileSync("/tmp/new-${name}", JSON.stringify({ ...draw(), ...Object.fromEntries(all) }));
    fs.renameSync("/tmp/new-${name}", "/tmp/drawn-${name}");
  });
  const timer = setInterval(() => {
    if (!fs.existsSync("/tmp/draw")) return;
    clearInterval(timer);
    worker.postMessage("draw");
  }, 100);
}
`;

const python = `
import json, os, random, secrets, ssl, time, uuid
own = random.Random()
def draw():
    return {
        "random": repr(random.random()),
        "secrets": secrets.token_hex(),
        "uuid4": str(uuid.uuid4()),
        "ssl": ssl.RAND_bytes(16).hex(),
        "own generator": repr(own.random()),
    }
draw()
open("/tmp/ready-python", "w").close()
while not os.path.exists("/tmp/draw"):
    time.sleep(0.1)
with open("/tmp/new-python", "w") as file:
    json.dump(draw(), file)
os.rename("/tmp/new-python", "/tmp/drawn-python")
`;

const perl = `
srand(); rand();
open(my $ready, ">", "/tmp/ready-perl"); close($ready);
select(undef, undef, undef, 0.1) until -e "/tmp/draw";
open(my $drawn, ">", "/tmp/new-perl"); printf $drawn "{\\"rand\\":\\"%.15f\\"}", rand(); close($drawn);
rename("/tmp/new-perl", "/tmp/drawn-perl");
`;

const bash = `
: $RANDOM; touch /tmp/ready-bash
until [ -e /tmp/draw ]; do sleep 0.1; done
echo "{\\"RANDOM\\":\\"$RANDOM $RANDOM $RANDOM\\"}" > /tmp/new-bash
mv /tmp/new-bash /tmp/drawn-bash
`;

const fromOpenSsl = ["randomBytes", "getRandomValues", "privateKey"];
const fromNodesMemory = ["randomUUID", "webUUID", "randomInt", "mathRandom"];
const withWorker = (names: readonly string[]) => [
  ...names,
  ...names.map((name) => `worker ${name}`),
];

/** Those that the image can run by itself. */
export const imagePrograms: readonly DrawingProgram[] = [
  {
    name: "node",
    source: ["/tmp/program.cjs", node("node")],
    command: "node /tmp/program.cjs",
    renewed: withWorker([...fromOpenSsl, ...fromNodesMemory]),
    kept: withWorker(["otherContext"]),
  },
  {
    name: "node-without-options",
    source: ["/tmp/program-without-options.cjs", node("node-without-options")],
    command: "env NODE_OPTIONS= node /tmp/program-without-options.cjs",
    renewed: withWorker(fromOpenSsl),
    kept: withWorker([...fromNodesMemory, "otherContext"]),
  },
  {
    name: "python",
    source: ["/tmp/program.py", python],
    command: "python3 /tmp/program.py",
    renewed: ["random", "secrets", "uuid4", "ssl"],
    kept: ["own generator"],
  },
  {
    name: "perl",
    source: ["/tmp/program.pl", perl],
    command: "perl /tmp/program.pl",
    renewed: [],
    kept: ["rand"],
  },
  {
    name: "bash",
    source: ["/tmp/program.sh", bash],
    command: "bash /tmp/program.sh",
    renewed: [],
    kept: ["RANDOM"],
  },
];
