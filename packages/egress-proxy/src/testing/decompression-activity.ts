import { createHook } from "node:async_hooks";

/** What zlib works with: `buffer` is what it works on, and null when it has finished that. */
interface ZlibHandle {
  readonly buffer?: Buffer | null;
  onerror?: (...details: unknown[]) => void;
}

const handles = new Set<ZlibHandle>();
const hook = createHook({
  init(_id, type, _trigger, resource: ZlibHandle) {
    if (!/ZLIB|BROTLI/i.test(type)) return;
    handles.add(resource);
    process.nextTick(forgetAfterError, resource);
  },
});

/** Begins to watch what zlib does in its threads; returns how to end that. */
export function watchDecompression(): () => void {
  hook.enable();
  return () => {
    hook.disable();
    handles.clear();
  };
}

/** The real one, also while the timers of a test are not. */
const realSetTimeout = globalThis.setTimeout;
const waitsMax = 60;

/**
 * Waits until nothing is being decompressed. Not for long: a handle that is
 * closed while it works is never heard of again.
 */
export async function decompressionIdle(): Promise<void> {
  for (let wait = 0; wait < waitsMax; wait += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    const working = [...handles].filter(({ buffer }) => buffer !== undefined && buffer !== null);
    if (working.length === 0) return;
    await new Promise<void>((resolve) => realSetTimeout(resolve, 1));
    if (wait === waitsMax - 1) for (const handle of working) handles.delete(handle);
  }
}

/** After an error a handle keeps its buffer. */
function forgetAfterError(handle: ZlibHandle): void {
  const { onerror } = handle;
  handle.onerror = (...details) => {
    handles.delete(handle);
    onerror?.apply(handle, details);
  };
}
