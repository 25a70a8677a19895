type CreateSpinner = typeof import("ora").default;

let loaded: CreateSpinner | undefined;

/** Loads the spinner: quick commands, and output that is no terminal, need none. */
export async function loadOra(): Promise<CreateSpinner> {
  loaded ??= (await import("ora")).default;
  return loaded;
}

/** Calls `use` with the spinner: at once when it is loaded, otherwise as soon as it is. */
export function withOra(use: (ora: CreateSpinner) => void): void {
  if (loaded !== undefined) use(loaded);
  else void loadOra().then(use);
}
