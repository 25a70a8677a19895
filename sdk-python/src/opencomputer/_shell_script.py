"""The input of a persistent shell, and the parser of its output.

Bash reads this from its input, line by line. The shell is interactive, because only such a shell
gives a command up when it is interrupted and reads on. Its own streams, which get the prompts,
are ``/dev/null``. Those of the session are kept on high descriptors and lent to each command, so
that the markers arrive whatever a command does to its own.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

STDOUT = 250
STDERR = 251
SCRIPT = 252

SHELL_ARGUMENTS = ("--noprofile", "--norc", "--noediting", "-i")
SHELL_PROLOGUE = (
    '[ -n "$BASH_VERSION" ] || exit 2; '
    f"exec {STDOUT}>&1 {STDERR}>&2 >/dev/null 2>&1; "
    "PS1= PS2=; set +o history +H; unset HISTFILE; shopt -u expand_aliases\n"
)
"""Sent once. Any program but bash ends here."""

OUTPUT_CHARACTERS_MAX = 32 * 1024 * 1024
"""Limit of the kept output of one stream of one command."""

_STATUS = re.compile(r" (\d{1,3})\n")
_STATUS_CHARACTERS_MAX = 16


@dataclass(frozen=True)
class CommandMarkers:
    """Markers before and after the output of one command, on both streams."""

    start: str
    end: str

    @classmethod
    def create(cls) -> CommandMarkers:
        """Creates random markers, so that no output is mistaken for one.

        They begin with a control character.
        """
        return cls("\x01" + secrets.token_hex(16), "\x01" + secrets.token_hex(16))


def shell_script(command: str, markers: CommandMarkers) -> str:
    """A command between its markers.

    The text is sourced as it is, from a here document that ends at a nonce: a syntax error in it
    ends nothing else, and a command that reads its input finds ``/dev/null``. Behind the end
    marker on stdout are a space, the exit code and a newline.

    A marker is printed in two halves, so that no trace of the shell shows it.
    """
    delimiter = secrets.token_hex(16)
    start = _print(markers.start)
    return (
        f"{{ {start} >&{STDOUT}; {start} >&{STDERR}; }}\n"
        f". /dev/fd/{SCRIPT} {SCRIPT}<<'{delimiter}' </dev/null "
        f">&{STDOUT} 2>&{STDERR} {STDOUT}>&- {STDERR}>&-\n"
        f"{command}\n{delimiter}\n{end_of_script(markers)}"
    )


def end_of_script(markers: CommandMarkers) -> str:
    """The last line of a command's script, for a shell that has lost it.

    A shell drops the line that it reads when it is interrupted.
    """
    end, end_with_status = _print(markers.end), _print(markers.end, with_status=True)
    return f"{{ {end_with_status} >&{STDOUT}; {end} >&{STDERR}; }}\n"


def _print(marker: str, *, with_status: bool = False) -> str:
    halves = f"{marker[1:17]} {marker[17:]}"
    if with_status:
        return f"builtin printf '\\001%s%s %d\\n' {halves} \"$?\""
    return f"builtin printf '\\001%s%s' {halves}"


class MarkedStream:
    """Finds the output of one command in the text of a stream, between its markers.

    Attributes:
        has_ended: Whether the end marker has arrived, with the exit code where one is expected.
        exit_code: The exit code behind the end marker; None until then, and on stderr.
    """

    def __init__(self, markers: CommandMarkers, *, has_exit_code: bool) -> None:
        self.has_ended = False
        self.exit_code: int | None = None
        self._markers = markers
        self._has_exit_code = has_exit_code
        self._stage = "before"
        self._held = ""

    def push(self, text: str) -> str:
        """Takes what has arrived and returns what of it is the command's output."""
        if self.has_ended:
            return ""
        self._held += text
        output = ""
        if self._stage == "before" and self._advance(self._markers.start)[1]:
            self._stage = "output"
        if self._stage == "output":
            output, is_end = self._advance(self._markers.end)
            if is_end:
                self._stage = "status"
        if self._stage == "status":
            self._read_status()
        return output

    def flush(self) -> str:
        """What was held back as the possible beginning of a marker: no more arrives."""
        held, self._held = self._held, ""
        return held if self._stage == "output" else ""

    def _advance(self, marker: str) -> tuple[str, bool]:
        index, is_complete = _find_marker(self._held, marker)
        passed = self._held[:index]
        self._held = self._held[index + len(marker) if is_complete else index :]
        return passed, is_complete

    def _read_status(self) -> None:
        if self._has_exit_code:
            found = _STATUS.match(self._held[:_STATUS_CHARACTERS_MAX])
            if found is None:
                return
            self.exit_code = int(found[1])
        self.has_ended = True


def _find_marker(text: str, marker: str) -> tuple[int, bool]:
    """Where the marker is, or where the end of the text may be the beginning of one."""
    index = text.find(marker[0])
    while index != -1:
        part = text[index : index + len(marker)]
        if marker.startswith(part):
            return index, len(part) == len(marker)
        index = text.find(marker[0], index + 1)
    return len(text), False


class KeptOutput:
    """What one stream of a command has written, up to a limit."""

    def __init__(self, characters_max: int = OUTPUT_CHARACTERS_MAX) -> None:
        self._parts: list[str] = []
        self._room = characters_max
        self.is_truncated = False

    def add(self, text: str) -> None:
        """Keeps as much of the text as there is room for."""
        kept = text[: self._room]
        self.is_truncated = self.is_truncated or len(kept) < len(text)
        self._room -= len(kept)
        self._parts.append(kept)

    def text(self) -> str:
        """All that was kept."""
        return "".join(self._parts)
