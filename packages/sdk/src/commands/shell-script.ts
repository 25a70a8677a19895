import { randomHex } from "./random-hex.ts";

/**
 * The scripts that are sent to a persistent shell. Bash reads them from its
 * input, line by line.
 *
 * The shell is interactive, because only such a shell aborts a command when
 * it is interrupted, and reads the next one. Its own streams, which get the prompts, are
 * `/dev/null`. Those of the session are kept on high descriptors and lent to
 * each command, so that the markers arrive whatever a command does to its own.
 */
const descriptors = { stdout: 250, stderr: 251, script: 252 } as const;

const nonceBytes = 16;

export const shellArguments = ["--noprofile", "--norc", "--noediting", "-i"] as const;

/** Sent once. Any program but bash ends here. */
export const shellPrologue =
  `[ -n "$BASH_VERSION" ] || exit 2; ` +
  `exec ${descriptors.stdout}>&1 ${descriptors.stderr}>&2 >/dev/null 2>&1; ` +
  "PS1= PS2=; set +o history +H; unset HISTFILE; shopt -u expand_aliases\n";

/** The markers before and after the output of one command, on both streams. */
export interface CommandMarkers {
  readonly start: string;
  readonly end: string;
}

/** They cannot be guessed, so that no output is mistaken for one. */
export function createCommandMarkers(): CommandMarkers {
  return { start: markerOf(randomHex(nonceBytes)), end: markerOf(randomHex(nonceBytes)) };
}

/** The marker of a nonce begins with a byte that text does not have. */
function markerOf(nonce: string): string {
  return `\u0001${nonce}`;
}

/**
 * A command between its markers. The text is sourced as it is, from a here
 * document that ends at a nonce: a syntax error in it ends nothing else, and
 * a command that reads its input finds `/dev/null`. The end marker on stdout
 * is followed by a space, the exit code and a newline.
 *
 * A marker is printed in two halves, so that no trace of the shell shows it.
 */
export function shellScript(command: string, markers: CommandMarkers): string {
  const { start } = markers;
  const delimiter = randomHex(nonceBytes);
  const { stdout, stderr, script } = descriptors;
  return (
    `{ ${printed(start)} >&${stdout}; ${printed(start)} >&${stderr}; }\n` +
    `. /dev/fd/${script} ${script}<<'${delimiter}' </dev/null ` +
    `>&${stdout} 2>&${stderr} ${stdout}>&- ${stderr}>&-\n` +
    `${command}\n${delimiter}\n${endOfScript(markers)}`
  );
}

/** The last line of a command's script, for a shell that has lost it: it drops the line that it reads when it is interrupted. */
export function endOfScript({ end }: CommandMarkers): string {
  const { stdout, stderr } = descriptors;
  return `{ ${printed(end, ' "$?"')} >&${stdout}; ${printed(end)} >&${stderr}; }\n`;
}

function printed(marker: string, status = ""): string {
  const nonce = marker.slice(1);
  const [one, other] = [nonce.slice(0, 16), nonce.slice(16)];
  const format = status === "" ? "\\001%s%s" : "\\001%s%s %d\\n";
  return `builtin printf '${format}' ${one} ${other}${status}`;
}
