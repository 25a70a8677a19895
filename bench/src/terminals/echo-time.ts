/** A terminal in which every key is echoed. */
export interface TypedTerminal {
  type(key: string): Promise<void>;
  /** The next output. */
  next(): Promise<Uint8Array>;
  end(): Promise<void>;
}

/** Milliseconds from a keystroke to its echo. */
export async function measureEcho(terminal: TypedTerminal, key: string): Promise<number> {
  const startedAt = performance.now();
  await terminal.type(key);
  for (;;) {
    if (Buffer.from(await terminal.next()).includes(key)) return performance.now() - startedAt;
  }
}
