import type { MessageTransform } from "../frame.ts";

/** Passes every byte at once. */
export function passingTransform(): MessageTransform {
  return { push: (bytes) => [bytes], end: () => [] };
}

/**
 * Replaces a text by another and holds back as many bytes as could begin it,
 * whether they match it or not.
 */
export function replacingTransform(from: string, to: string): MessageTransform {
  let held = "";
  return {
    push(bytes) {
      const text = (held + bytes.toString("latin1")).replaceAll(from, to);
      const cut = Math.max(0, text.length - (from.length - 1));
      held = text.slice(cut);
      return [Buffer.from(text.slice(0, cut), "latin1")];
    },
    end() {
      const rest = held;
      held = "";
      return [Buffer.from(rest, "latin1")];
    },
  };
}
