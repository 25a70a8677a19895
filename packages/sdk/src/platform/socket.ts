/** The part of a WebSocket that the SDK uses. */
export interface Socket {
  /** Resolves when the message was passed to the system, so that a sender can wait for it. */
  send(message: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Stops the delivery of messages, where the platform can; the other side then waits. */
  pause(): void;
  resume(): void;
  close(): void;
}

export interface SocketHandlers {
  onOpen(): void;
  onMessage(message: Uint8Array): void;
  /** Called once, also when the socket never opened. */
  onClose(code: number, reason: string): void;
}

/** Opens a WebSocket with an API key. `url` begins with `ws:` or `wss:`. */
export type OpenSocket = (url: string, apiKey: string, handlers: SocketHandlers) => Socket;
