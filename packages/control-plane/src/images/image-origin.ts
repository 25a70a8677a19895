/** What a sandbox starts from in the place of the base image. */
export interface ImageOrigin {
  checkpointId: string;
  /** The lowest layer of its environment. */
  envs: Readonly<Record<string, string>>;
  /** Where its commands start; null for the home directory. */
  workingDirectory: string | null;
}
