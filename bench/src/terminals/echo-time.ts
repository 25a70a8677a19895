/** A terminal in which every key is echoed. */
export interface TypedTerminal {
  type(key: string): Promise<void>;
  /** The next output. */
  next(): Promise<Uint8Array>;
  end(): Promise<void>;
}

/** How long it takes, in milliseconds, from a keystroke until its echo is shown. */
export async function measureEcho(terminal: TypedTerminal, key: string): Promise<number> {
  const startedAt = performance.now();
  await terminal.type(key);
  for (;;) {
    if (Buffer.from(await terminal.next()).includes(key)) return performance.now() - startedAt;
  }
}
