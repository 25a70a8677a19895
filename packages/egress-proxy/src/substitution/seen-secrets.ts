/** Names of the secrets that one exchange met, each at most once. */
export class SeenSecrets {
  readonly substituted: string[] = [];
  readonly withheld: string[] = [];
  readonly resealed: string[] = [];

  note(kind: "substituted" | "withheld" | "resealed", name: string): void {
    if (!this[kind].includes(name)) this[kind].push(name);
  }
}
