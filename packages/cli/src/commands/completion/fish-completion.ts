import { type CommandLevel, type CompletionOption, listValuedOptions } from "./command-levels.ts";

/** The completion script for fish, with summaries. It starts no process. */
export function fishCompletion(levels: readonly CommandLevel[]): string {
  const lines = levels.flatMap(({ place, words, options }) => {
    const here = `complete -c oc -n ${quote(`__oc_is_at ${quote(place)}`)}`;
    return [
      ...words.map(({ word, summary }) => `${here} -a ${quote(word)} -d ${quote(summary)}`),
      ...options.map(
        (option) => `${here} ${namesOf(option)}${argumentOf(option)} -d ${quote(option.summary)}`,
      ),
    ];
  });
  return `# Completion of oc for fish: oc completion fish | source
function __oc_is_at
    set -l place oc
    set -l option ''
    set -l given (commandline -opc)
    for word in $given[2..-1]
        if test "$word" = '--'
            return 1
        end
        if test -n "$option"
            set option ''
            continue
        end
        switch "$place $word"
            case ${levels
              .slice(1)
              .map(({ place }) => quote(place))
              .join(" ")}
                set place "$place $word"
            case ${listValuedOptions(levels)
              .map(({ placeAndOption }) => quote(placeAndOption))
              .join(" ")}
                set option $word
        end
    end
    test "$place" = "$argv[1]"
end
complete -c oc -f
${lines.join("\n")}`;
}

function namesOf({ names }: CompletionOption): string {
  return names
    .map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
    .join(" ");
}

function argumentOf({ value }: CompletionOption): string {
  if (value === undefined) return "";
  if (value.isFile) return " -r -F";
  return value.choices.length === 0 ? " -x" : ` -x -a ${quote(value.choices.join(" "))}`;
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
