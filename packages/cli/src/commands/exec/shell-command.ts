const variablePattern = /\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})/g;

/**
 * The script that the sandbox's shell runs for the words after `--`.
 *
 * A single word is a script. Several words are a program and its arguments:
 * `$NAME` and `${NAME}` in them are expanded to the sandbox's variables without
 * word splitting, and the shell interprets nothing else (POSIX.1-2017, Shell
 * Command Language, section 2.2). `exec` runs programs, never builtins.
 */
export function shellCommand(words: readonly string[]): string {
  const [script] = words;
  if (words.length === 1 && script !== undefined) return script;
  return `exec -- ${words.map(quoteWord).join(" ")}`;
}

function quoteWord(word: string): string {
  let quoted = "";
  let end = 0;
  for (const match of word.matchAll(variablePattern)) {
    quoted += `${quoteLiteral(word.slice(end, match.index))}"\${${match[1] ?? match[2]}}"`;
    end = match.index + match[0].length;
  }
  return quoted + quoteLiteral(word.slice(end)) || "''";
}

function quoteLiteral(text: string): string {
  return text === "" ? "" : `'${text.replaceAll("'", "'\\''")}'`;
}
