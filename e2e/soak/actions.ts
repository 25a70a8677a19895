import type { Internet, SeededRandom } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";

export const host = "api.example.test";
export const secretValue = "canary-soak-5cd07e91b3a86f42e01d7c2a";

/** A sandbox of the load, with the word that its disk has to hold. */
export interface SoakSandbox {
  readonly sandbox: Sandbox;
  word: string;
  isHibernated: boolean;
  /** Whether an action is under way on it. */
  isBusy: boolean;
}

export interface SoakContext {
  readonly connection: { apiUrl: string; apiKey: string };
  readonly storeName: string;
  readonly internet: Internet;
  readonly random: SeededRandom;
  readonly sandboxes: Set<SoakSandbox>;
  /** A word that was never used before. */
  newWord(): string;
}

export interface Action {
  readonly name: string;
  /** The sandbox that it uses; undefined for one that makes a new one. */
  readonly subject: SoakSandbox | undefined;
  run(): Promise<void>;
}

const sandboxesMax = 4;
/** How often each is drawn, of those that are possible at the moment. */
const weights = {
  ...{ create: 3, run: 8, send: 8, hibernate: 3, wake: 3, fork: 2, kill: 2 },
} as const;

/** Draws the next action; undefined when each sandbox is busy. */
export function drawAction(context: SoakContext): Action | undefined {
  const { random, sandboxes } = context;
  const idle = [...sandboxes].filter((one) => !one.isBusy);
  const running = random.pick(idle.filter((one) => !one.isHibernated));
  const hibernated = random.pick(idle.filter((one) => one.isHibernated));
  const hasRoom = sandboxes.size < sandboxesMax;
  const possible: Action[] = [
    ...(hasRoom ? [{ name: "create", subject: undefined, run: () => create(context) }] : []),
    ...(running === undefined
      ? []
      : [
          { name: "run", subject: running, run: () => rewrite(context, running) },
          { name: "send", subject: running, run: () => send(context, running) },
          { name: "hibernate", subject: running, run: () => hibernate(running) },
          ...(hasRoom
            ? [{ name: "fork", subject: running, run: () => fork(context, running) }]
            : [{ name: "kill", subject: running, run: () => kill(context, running) }]),
        ]),
    ...(hibernated === undefined
      ? []
      : [{ name: "wake", subject: hibernated, run: () => wake(hibernated) }]),
  ];
  const weighted = possible.flatMap((action) =>
    Array.from({ length: weights[action.name as keyof typeof weights] }, () => action),
  );
  return random.pick(weighted);
}

async function create(context: SoakContext): Promise<void> {
  const { connection, storeName: secretStore } = context;
  const sandbox = await Sandbox.create({ ...connection, secretStore, timeout: 0 });
  const made = { sandbox, word: "", isHibernated: false, isBusy: true };
  context.sandboxes.add(made);
  await rewrite(context, made);
  made.isBusy = false;
}

/** Checks the word on the disk and writes another one. */
async function rewrite(context: SoakContext, one: SoakSandbox): Promise<void> {
  const next = context.newWord();
  const before = await output(one, "cat /workspace/word 2> /dev/null; true");
  expectEqual(`the word on the disk of ${one.sandbox.sandboxId}`, one.word, before.trim());
  await output(one, `echo ${next} > /workspace/word`);
  one.word = next;
}

/** Sends the secret to a host that returns it: the host gets the value, the guest its token. */
async function send(context: SoakContext, one: SoakSandbox): Promise<void> {
  const path = `/${context.newWord()}`;
  const returned = await output(one, `curl -sS -m 60 https://${host}${path} -H "x-key: $KEY"`);
  const index = context.internet.requests.findIndex(({ url }) => url === path);
  const received = context.internet.requests[index]?.headers["x-key"];
  // The load runs for hours: what was looked at is not kept.
  context.internet.requests.splice(index, 1);
  expectEqual(`the value that ${one.sandbox.sandboxId} sent`, secretValue, received);
  if (returned.includes(secretValue)) throw new Error(`The value came back: ${returned}`);
}

async function hibernate(one: SoakSandbox): Promise<void> {
  await one.sandbox.hibernate();
  one.isHibernated = true;
}

async function wake(one: SoakSandbox): Promise<void> {
  await one.sandbox.wake();
  one.isHibernated = false;
}

async function fork(context: SoakContext, parent: SoakSandbox): Promise<void> {
  const checkpoint = await parent.sandbox.createCheckpoint(context.newWord(), { wait: true });
  const sandbox = await Sandbox.createFromCheckpoint(checkpoint.id, {
    ...context.connection,
    timeout: 0,
  });
  const made = { sandbox, word: parent.word, isHibernated: false, isBusy: true };
  context.sandboxes.add(made);
  await parent.sandbox.deleteCheckpoint(checkpoint.id);
  await rewrite(context, made);
  made.isBusy = false;
}

async function kill(context: SoakContext, one: SoakSandbox): Promise<void> {
  await one.sandbox.kill();
  context.sandboxes.delete(one);
}

async function output({ sandbox }: SoakSandbox, command: string): Promise<string> {
  const { exitCode, stdout, stderr } = await sandbox.exec.run(command);
  if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}: ${stderr}`);
  return stdout;
}

function expectEqual(what: string, expected: unknown, found: unknown): void {
  if (found === expected) return;
  throw new Error(`Expected ${what} to be ${JSON.stringify(expected)}: ${JSON.stringify(found)}`);
}
