import { type CommandLevel, listValuedOptions } from "./command-levels.ts";
import { quoteWord, stepOverWord } from "./posix-shell.ts";

/** The completion script for zsh, with summaries. It starts no process. */
export function zshCompletion(levels: readonly CommandLevel[]): string {
  const valued = listValuedOptions(levels);
  const cases = levels.map(({ place, words, options }) => {
    const described = words.map(({ word, summary }) => quoteWord(`${word}:${summary}`));
    const flags = options.flatMap(({ names, summary }) =>
      names.map((name) => quoteWord(`${name}:${summary}`)),
    );
    return `    ${quoteWord(`${place} `)}) words_here=(${described.join(" ")}) options_here=(${flags.join(" ")}) ;;`;
  });
  const choices = valued
    .filter(({ value }) => value.choices.length > 0)
    .map(
      ({ placeAndOption, value }) =>
        `    ${quoteWord(placeAndOption)}) words_here=(${value.choices.map(quoteWord).join(" ")}) ;;`,
    );
  const files = valued
    .filter(({ value }) => value.isFile)
    .map(({ placeAndOption }) => `    ${quoteWord(placeAndOption)}) _files; return ;;`);
  return `#compdef oc
# Completion of oc for zsh: source <(oc completion zsh)
_oc() {
  local place=oc option='' word
  local -a words_here options_here
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if [[ $word == '--' ]]; then return; fi
${stepOverWord(levels)}
  done
  case "$place $option" in
${[...choices, ...files, ...cases].join("\n")}
  esac
  if (( $#words_here )) && [[ $PREFIX != -* ]]; then
    _describe -t commands command words_here
  else
    _describe -o option options_here
  fi
}
if ! (( $+functions[compdef] )); then autoload -Uz compinit; compinit; fi
compdef _oc oc`;
}
