import { type CommandLevel, listValuedOptions } from "./command-levels.ts";
import { quoteWord, stepOverWord } from "./posix-shell.ts";

/**
 * The completion script for bash. It contains all words, so that a key press
 * starts no process. Bash also splits a line at `=`.
 */
export function bashCompletion(levels: readonly CommandLevel[]): string {
  const valued = listValuedOptions(levels);
  const cases = levels.map(({ place, words, options }) => {
    const commands = words.map(({ word }) => word).join(" ");
    const flags = options.flatMap(({ names }) => names).join(" ");
    return `    ${quoteWord(`${place} `)}) words=${quoteWord(commands)} options=${quoteWord(flags)} ;;`;
  });
  const choices = valued
    .filter(({ value }) => value.choices.length > 0)
    .map(
      ({ placeAndOption, value }) =>
        `    ${quoteWord(placeAndOption)}) words=${quoteWord(value.choices.join(" "))} ;;`,
    );
  const files = valued
    .filter(({ value }) => value.isFile)
    .map(
      ({ placeAndOption }) =>
        `    ${quoteWord(placeAndOption)}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;`,
    );
  return `# Completion of oc for bash: source <(oc completion bash)
_oc() {
  local current="\${COMP_WORDS[COMP_CWORD]}" place=oc option='' words='' options='' word i
  COMPREPLY=()
  if [[ $current == '=' ]]; then current=''; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ $word == '--' ]]; then return; fi
    if [[ $word == '=' ]]; then continue; fi
${stepOverWord(levels)}
  done
  case "$place $option" in
${[...choices, ...files, ...cases].join("\n")}
  esac
  if [[ -z $words || $current == -* ]]; then words="\${options:-$words}"; fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _oc oc`;
}
