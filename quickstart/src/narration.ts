/** Prints the steps of the quick start, and checks what each of them shows. */
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
    /** Prints a verified fact. */
    shown(fact: string) {
      stream.write(`   ${paint(32, "✓")} ${fact}\n`);
    },
    /** Prints a fact. @throws {QuickstartError} if it does not hold. */
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

/** A step failed, or the command line is malformed. */
export class QuickstartError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "QuickstartError";
  }
}
