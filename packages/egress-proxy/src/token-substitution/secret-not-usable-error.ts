const reasons = {
  header:
    "holds a line break or another control character, which no HTTP header may hold: set the secret again without it (a trailing newline is the usual cause)",
  path: 'cannot stand in the path: with it, or with the text beside its token, a segment would be empty, "." or "..", which changes what the path names',
} as const;

/**
 * Thrown when a secret's value is not allowed where its token is. Names the
 * secret, never the value.
 */
export class SecretNotUsableError extends Error {
  readonly secretName: string;
  readonly place: keyof typeof reasons;

  constructor(secretName: string, place: keyof typeof reasons) {
    super(`The value of secret ${secretName} ${reasons[place]}`);
    this.name = "SecretNotUsableError";
    this.secretName = secretName;
    this.place = place;
  }
}
