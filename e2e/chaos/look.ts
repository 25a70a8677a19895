import { setTimeout as delay } from "node:timers/promises";
import type { Internet } from "@opencomputer/harness";
import { OpenComputerError } from "@opencomputer/sdk";
import { z } from "zod";
import type { KnownSandbox } from "./model.ts";
import { host } from "./service.ts";

/** A host under load boots a machine in tens of seconds. */
export const patienceMilliseconds = 180_000;
const pollMilliseconds = 250;

const startCounter = (word: string) => `echo ${word} > /dev/shm/word
nohup bash -c 'exec 3<> <(:); count=0
while :; do count=$((count + 1)); echo $count > /dev/shm/count; read -t 0.25 -u 3; done' > /dev/null 2>&1 &`;

/** One line of JSON; the rest of what a sandbox is known by. */
const report = (path: string) => `word=$(cat /dev/shm/word 2> /dev/null)
counting=false
first=$(cat /dev/shm/count 2> /dev/null)
if [ -n "$word" ]; then
  for turn in $(seq 100); do
    next=$(cat /dev/shm/count)
    if [ -n "$next" ] && [ "$next" != "$first" ]; then counting=true; break; fi
    sleep 0.1
  done
fi
curl -sS -m 30 "https://${host}/${path}" -H "x-key: $KEY" > /dev/null
curl=$?
printf '{"disk":"%s","memory":"%s","token":"%s","counting":%s,"curl":%s}' \\
  "$(cat /workspace/word 2> /dev/null)" "$word" "$KEY" "$counting" "$curl"`;

const reportSchema = z.object({
  disk: z.string(),
  memory: z.string(),
  token: z.string(),
  counting: z.boolean(),
  curl: z.int(),
});

/**
 * Uses a sandbox, which is woken where it has to be: its disk, memory,
 * process, token and access to the internet are as in the model, or this throws.
 */
export async function lookAt(
  known: KnownSandbox,
  options: { internet: Internet; secretValue: string; newWord: (prefix: string) => string },
): Promise<void> {
  const { sandbox } = known;
  const seen = await untilReturned(`${sandbox.sandboxId} responds`, async () => {
    const path = options.newWord("look");
    const { stdout, stderr } = await sandbox.exec.run(report(path), {
      timeout: patienceMilliseconds / 1000,
    });
    const found = reportSchema.safeParse(parseJson(stdout));
    if (!found.success) throw new Error(`Its report is ${JSON.stringify(stdout + stderr)}`);
    // Until the proxy has its sessions again, it refuses.
    if (found.data.curl !== 0) return new NotYet(stderr);
    const received = options.internet.requests.find(({ url }) => url === `/${path}`);
    return { ...found.data, received: received?.headers["x-key"] };
  });

  const fail = (what: string, expected: unknown, found: unknown): never => {
    throw new Error(
      `Sandbox ${sandbox.sandboxId}: ${what} is ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`,
    );
  };
  if (!known.disk.has(seen.disk)) fail("the file on its disk", [...known.disk], seen.disk);
  if (seen.received !== options.secretValue) {
    fail("the value that its request carried", options.secretValue, seen.received);
  }
  known.token ??= seen.token;
  if (seen.token !== known.token) fail("its token", known.token, seen.token);
  if (seen.memory !== "" && !seen.counting) fail("its process", "counting", "still");
  if (!known.memory.has(seen.memory)) {
    const { memoryLost } = await sandbox.getInfo();
    const isExplained = known.mayHaveLostMemory && typeof memoryLost === "string";
    if (seen.memory !== "" || !isExplained) {
      const expected = { words: [...known.memory], mayBeLost: known.mayHaveLostMemory };
      fail("its memory", expected, { word: seen.memory, memoryLost });
    }
  }
  known.mayHaveLostMemory = false;
  if (seen.memory === "") await startMemory(known, options.newWord("memory"));
}

async function startMemory(known: KnownSandbox, word: string): Promise<void> {
  const { exitCode, stderr } = await known.sandbox.exec.run(startCounter(word));
  if (exitCode !== 0) throw new Error(`A process could not be started: ${stderr}`);
  known.memory = new Set([word]);
}

/**
 * Repeats a call while a part of the service is being restarted. What the
 * service reports of the call itself, such as that a sandbox does not exist, is final.
 */
export async function untilReturned<Result>(
  what: string,
  call: () => Promise<Result | NotYet>,
): Promise<Result> {
  const deadline = Date.now() + patienceMilliseconds;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const result = await call();
      if (!(result instanceof NotYet)) return result;
      last = result;
    } catch (error) {
      if (!isPassing(error)) throw error;
      last = error;
    }
    await delay(pollMilliseconds);
  }
  throw new Error(`Expected within ${patienceMilliseconds} ms that ${what}`, {
    cause: last,
  });
}

/** A state that is not final. */
export class NotYet extends Error {}

function isPassing(error: unknown): boolean {
  if (!(error instanceof OpenComputerError)) return false;
  return [undefined, 409, 502, 503].includes(error.status);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
