import { createHook } from "node:async_hooks";

/** What zlib works with: `buffer` is what it works on, and null when it has finished that. */
interface ZlibHandle {
  readonly buffer?: Buffer | null;
  onerror?: (...details: unknown[]) => void;
  close?: () => void;
}

const handles = new Set<ZlibHandle>();
const hook = createHook({
  init(_id, type, _trigger, resource: ZlibHandle) {
    if (!/ZLIB|BROTLI|ZSTD/i.test(type)) return;
    handles.add(resource);
    process.nextTick(forgetWhenDone, resource);
  },
});

/** Begins to watch zlib's threads; returns a function that ends it. */
export function watchDecompression(): () => void {
  hook.enable();
  return () => {
    hook.disable();
    handles.clear();
  };
}

/** The real timer, also while a test mocks timers. */
const realSetTimeout = globalThis.setTimeout;
const waitsMax = 5000;

/** Waits until nothing is being decompressed. */
export async function decompressionIdle(): Promise<void> {
  for (let wait = 0; wait < waitsMax; wait += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    const isWorking = [...handles].some(({ buffer }) => buffer !== undefined && buffer !== null);
    if (!isWorking) return;
    await new Promise<void>((resolve) => realSetTimeout(resolve, 1));
  }
  throw new Error("A decompression does not end");
}

/** After an error, or a close while it works, a handle keeps its buffer and reports nothing more. */
function forgetWhenDone(handle: ZlibHandle): void {
  const { onerror, close } = handle;
  handle.onerror = (...details) => {
    handles.delete(handle);
    onerror?.apply(handle, details);
  };
  handle.close = () => {
    handles.delete(handle);
    close?.apply(handle);
  };
}
