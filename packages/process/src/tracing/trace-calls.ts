import type { SpanOptions, Tracer } from "./tracer.ts";

/** The methods of an object that return promises. */
type CallOf<Target> = {
  [Name in keyof Target]: Target[Name] extends (...parameters: never[]) => Promise<unknown>
    ? Name
    : never;
}[keyof Target] &
  string;

/**
 * Returns the object with a span around each of the named calls, which is named
 * by the peer and the call. The object has neither getters nor state of its own:
 * what it is made of is copied.
 */
export function traceCalls<Target extends object>(
  tracer: Tracer,
  target: Target,
  {
    peer,
    calls,
    ...options
  }: SpanOptions & { peer: string; calls: Readonly<Partial<Record<CallOf<Target>, string>>> },
): Target {
  const traced = Object.entries<string | undefined>(calls).map(([name, text]) => {
    const call: unknown = Reflect.get(target, name);
    if (typeof call !== "function") throw new TypeError(`${peer} has no call ${name}`);
    const span = (...parameters: unknown[]): Promise<unknown> =>
      tracer.span(
        `${peer} ${text}`,
        async () => await Reflect.apply(call, target, parameters),
        options,
      );
    return [name, span] as const;
  });
  return { ...target, ...Object.fromEntries(traced) };
}
