import { type CommandLevel, listValuedOptions } from "./command-levels.ts";
import { quoteWord } from "./quote-word.ts";

/**
 * What bash and zsh do with a word before the one that is completed: it leads
 * to a place of the command tree, or is an option whose value comes next.
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
