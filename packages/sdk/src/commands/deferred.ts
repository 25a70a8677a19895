/** A promise and what settles it: `Promise.withResolvers`, which Node has from 22 on. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>;
  resolve(value: Value): void;
  reject(error: unknown): void;
}

/** A rejection that nobody waits for is none of the process's. */
export function createDeferred<Value>(): Deferred<Value> {
  let settle: Pick<Deferred<Value>, "resolve" | "reject"> | undefined;
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject };
  });
  promise.catch(() => undefined);
  if (settle === undefined) throw new Error("A promise did not run its executor");
  return { promise, ...settle };
}
