type Tags = Readonly<Record<string, string>>;
type TagChanges = Readonly<Record<string, string | null>>;

/** What turns one set of tags into another: the values that differ, and null for each that is absent. */
export function tagChanges(before: Tags, after: Tags): TagChanges {
  const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  const set = Object.entries(after).filter(
    ([key, value]) => !Object.hasOwn(before, key) || before[key] !== value,
  );
  return Object.fromEntries([...removed.map((key) => [key, null] as const), ...set]);
}

/** The command lines that make the changes: none, one, or two where some are set and some removed. */
export function tagCommands(sandboxId: string, changes: TagChanges): string[][] {
  const pairs: string[] = [];
  const removed: string[] = [];
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) removed.push(key);
    else pairs.push(`${key}=${value}`);
  }
  return [
    ...(pairs.length === 0 ? [] : [["oc", "tag", "set", sandboxId, ...pairs]]),
    ...(removed.length === 0 ? [] : [["oc", "tag", "delete", sandboxId, ...removed]]),
  ];
}
