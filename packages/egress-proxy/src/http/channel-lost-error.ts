/** Thrown when a connection or stream was lost: a reset, an error, or a close without a clean end. */
export class ChannelLostError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ChannelLostError";
  }
}
