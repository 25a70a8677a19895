/** Tells the quick start's steps, and counts what each is expected to show. */
export function createNarration(stream: NodeJS.WriteStream) {
  let stepNumber = 0;
  const paint = (code: number, text: string) =>
    stream.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text;
  return {
    step(title: string) {
      stepNumber += 1;
      stream.write(`\n${paint(1, `${stepNumber}. ${title}`)}\n`);
    },
    command(text: string) {
      for (const [index, line] of text.trim().split("\n").entries()) {
        stream.write(`   ${paint(36, `${index === 0 ? "$" : " "} ${line}`)}\n`);
      }
    },
    output(text: string) {
      for (const line of text.trim().split("\n")) stream.write(`   ${line}\n`);
    },
    /** States a fact that was checked. */
    shown(fact: string) {
      stream.write(`   ${paint(32, "✓")} ${fact}\n`);
    },
    /** @throws when the fact does not hold: the quick start ends there. */
    expect(holds: boolean, fact: string, found: string) {
      if (!holds) throw new QuickstartError(`Expected: ${fact}. Found: ${found}`);
      this.shown(fact);
    },
    note(text: string) {
      stream.write(`   ${paint(2, text)}\n`);
    },
  };
}
export type Narration = ReturnType<typeof createNarration>;

/** A step that did not show what it promises. */
export class QuickstartError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "QuickstartError";
  }
}
