"""Commands: those that run to their end, in the background, and in sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict


@dataclass(frozen=True)
class CommandResult:
    """A command that has ended."""

    exit_code: int
    """-1 after a time-out, which the end of ``stderr`` reports; 128 + n after signal n."""
    stdout: str
    stderr: str
    truncated: bool = False
    """Whether a stream was longer than the 32 MiB that are kept."""


@dataclass(frozen=True)
class CommandProgress:
    """The output of a background command so far."""

    running: bool
    stdout: str
    stderr: str
    exit_code: int | None = None
    """As of a ``CommandResult``; None while it runs, and when ``error`` says why there is none."""
    truncated: bool = False
    error: str | None = None


@dataclass(frozen=True)
class BackgroundCommand:
    """A command that was started in the background.

    When it ended at once, ``running`` is False and this is its whole result; otherwise
    ``exec_id`` leads to the result.
    """

    running: bool
    exec_id: str | None = None
    started_at: str | None = None
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    truncated: bool = False


class _SessionInfo(TypedDict):
    sessionID: str
    sandboxID: str
    command: str
    args: list[str]
    running: bool
    startedAt: str
    attachedClients: int


class SessionInfo(_SessionInfo, total=False):
    """A command that clients attach to and detach from.

    ``exitCode`` is present once it has ended: -1 after a time-out, 128 + n after signal n.
    """

    exitCode: int


class OutputChunk(TypedDict):
    """A piece of a session's output.

    ``data`` are the bytes as they came; ``text`` is what they complete, decoded as UTF-8: a
    character that is split over two pieces is whole in the text of the second.
    """

    stream: Literal["stdout", "stderr"]
    data: bytes
    text: str
