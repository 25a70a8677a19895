"""One command of a persistent shell, from its start to its result."""

from __future__ import annotations

from typing import Literal

from opencomputer._async.session import OutputCallback
from opencomputer._platform.asynchronous import Event, call
from opencomputer._shell_script import CommandMarkers, KeptOutput, MarkedStream
from opencomputer.records import CommandResult

Stream = Literal["stdout", "stderr"]


class ShellRun:
    """A running command."""

    def __init__(self, callbacks: dict[Stream, OutputCallback | None]) -> None:
        self.markers = CommandMarkers.create()
        self.has_ended = Event()
        self.timed_out = False
        self._callbacks = callbacks
        self.is_interrupted = False
        self._streams = _marked_streams(self.markers)
        self._probe: dict[Stream, MarkedStream] | None = None
        self._kept: dict[Stream, KeptOutput] = {"stdout": KeptOutput(), "stderr": KeptOutput()}
        self._exit_code = -1
        self._ended_with_shell = False
        self._failure: BaseException | None = None

    async def take(self, stream: Stream, text: str) -> None:
        """Takes output of the shell, which may have the end of the command in it."""
        if self.has_ended.is_set():
            return
        await self._forward(stream, self._streams[stream].push(text))
        probe = self._probe
        if probe is not None:
            probe[stream].push(text)
        if not self.command_has_ended():
            return
        if self.is_interrupted and (probe is None or not _have_ended(probe)):
            return
        self._exit_code = self._streams["stdout"].exit_code or 0
        self.has_ended.set()

    def command_has_ended(self) -> bool:
        """Whether the end markers of the command have arrived."""
        return _have_ended(self._streams)

    def expect_probe(self, markers: CommandMarkers) -> None:
        """The run ends with this empty command, which the shell is sent after an interrupt."""
        self._probe = _marked_streams(markers)

    def expect_no_probe(self) -> None:
        """An interrupt is on its way: the shell is not ready before it has arrived."""
        self._probe = None

    async def end_with_shell(self, exit_code: int) -> None:
        """Ends the command with its shell, which had this exit code."""
        if self.has_ended.is_set():
            return
        streams: tuple[Stream, ...] = ("stdout", "stderr")
        for stream in streams:
            await self._forward(stream, self._streams[stream].flush())
        self._exit_code = exit_code
        self._ended_with_shell = True
        self.has_ended.set()

    def fail(self, error: BaseException) -> None:
        """Ends the command with an exception, unless it has ended."""
        if not self.has_ended.is_set():
            self._failure = error
            self.has_ended.set()

    def result(self) -> CommandResult:
        """Returns the result of a command that has ended, or raises its exception."""
        if self._failure is not None:
            raise self._failure
        end = "\nProcess timed out" if self.timed_out else ""
        if self.timed_out and self._ended_with_shell:
            end += ": it did not end when it was interrupted, and the shell was killed"
        return CommandResult(
            exit_code=-1 if self.timed_out else self._exit_code,
            stdout=self._kept["stdout"].text(),
            stderr=self._kept["stderr"].text() + end,
            truncated=any(kept.is_truncated for kept in self._kept.values()),
        )

    async def _forward(self, stream: Stream, text: str) -> None:
        if text == "":
            return
        self._kept[stream].add(text)
        callback = self._callbacks[stream]
        if callback is None or self._failure is not None:
            return
        try:
            await call(callback, text)
        except Exception as error:  # noqa: BLE001 - the shell keeps running, and `run` raises it
            self._failure = error


def _marked_streams(markers: CommandMarkers) -> dict[Stream, MarkedStream]:
    return {
        "stdout": MarkedStream(markers, has_exit_code=True),
        "stderr": MarkedStream(markers, has_exit_code=False),
    }


def _have_ended(streams: dict[Stream, MarkedStream]) -> bool:
    return all(marked.has_ended for marked in streams.values())
