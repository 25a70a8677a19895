"""Terminals."""

from __future__ import annotations

from typing import TypedDict


class OpenedTerminal(TypedDict):
    """A new terminal."""

    sessionID: str
    sandboxID: str


class _TerminalInfo(TypedDict):
    sessionID: str
    sandboxID: str
    shell: str
    cols: int
    rows: int
    running: bool
    startedAt: str
    attachedClients: int


class TerminalInfo(_TerminalInfo, total=False):
    """A terminal. ``exitCode`` is present once its shell has ended: 128 + n after signal n."""

    exitCode: int
