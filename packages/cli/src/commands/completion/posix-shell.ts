import { type CommandLevel, listValuedOptions } from "./command-levels.ts";

/**
 * Code for bash and zsh that reads a word before the completed one: it leads to
 * a place in the command tree, or is an option whose value comes next.
 */
export function stepOverWord(levels: readonly CommandLevel[]): string {
  const places = levels.slice(1).map(({ place }) => quoteWord(place));
  const options = listValuedOptions(levels).map(({ placeAndOption }) => quoteWord(placeAndOption));
  return `    if [[ -n $option ]]; then option=''; continue; fi
    case "$place $word" in
      ${places.join("|")}) place+=" $word" ;;
      ${options.join("|")}) option="$word" ;;
    esac`;
}

/** A word in single quotes, as POSIX shells read it. */
export function quoteWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
