/** A time of the service in the reader's own language and time zone. */
export function When({ at }: { at: string | null | undefined }) {
  if (at === null || at === undefined) return <>never</>;
  return <time dateTime={at}>{new Date(at).toLocaleString()}</time>;
}
