"""Persistent shells: bash sessions that keep their state between commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic

from opencomputer._async.closing import Closing
from opencomputer._async.session import CommandSession, OutputCallback
from opencomputer._async.shell_run import ShellRun
from opencomputer._platform.asynchronous import Event, is_set_within, start
from opencomputer._shell_script import (
    SHELL_PROLOGUE,
    CommandMarkers,
    end_of_script,
    shell_script,
)
from opencomputer.errors import OpenComputerError, ShellBusyError, ShellClosedError
from opencomputer.records import CommandResult

INTERRUPT_SIGNAL = 2
CLEAN_UP_SECONDS = 2.0
"""A command may clean up for this long before it is interrupted again."""
PROBE_SECONDS = 0.5
"""Time in which the shell has to run an empty command before it is interrupted again."""
GRACE_SECONDS = 6.0
"""After this time the command is killed, with its shell."""
SECONDS_MAX = 10.0 * 365 * 24 * 3600
ERROR_CHARACTERS_MAX = 2000


class Shell(Closing):
    """A persistent bash, which runs one command at a time.

    Changes to the working directory, variables, functions and options apply to later commands.
    It is a command session: ``sandbox.exec.list`` includes it, and it keeps running when this
    client disconnects. ``async with shell:`` closes it at the end.

    Attributes:
        session_id: Identifies the shell, for ``sandbox.exec.reattach_shell``.
        exit_code: The exit code of the shell itself; None while it runs.
    """

    def __init__(self) -> None:
        self.session_id = ""
        self.exit_code: int | None = None
        self._session: CommandSession
        self._run: ShellRun | None = None
        self._closed_because: str | None = None
        self._loss: BaseException | None = None
        self._has_ended = Event()
        self._stderr_start = ""

    async def run(
        self,
        cmd: str,
        *,
        timeout: float | None = None,
        on_stdout: OutputCallback | None = None,
        on_stderr: OutputCallback | None = None,
    ) -> CommandResult:
        """Runs a command, of any number of lines, to its end.

        Its input is ``/dev/null``, and redirections by ``exec`` apply to this command alone. If
        it ends the shell, as ``exit 3`` does, or any failure after ``set -e``, the result has the
        exit code of the shell, which is then closed. Output of background jobs is added to the
        command that runs at that time, or dropped if none does. Each stream is kept up to 32 MiB;
        ``truncated`` is True when there was more. Cancelling the call interrupts the command.

        Args:
            cmd: The command, or a script of several lines.
            timeout: Seconds until the command is interrupted, as by Ctrl-C; the result then has
                ``exit_code`` -1 and ``stderr`` ends with ``Process timed out``. A command that
                still runs is interrupted again after 2 s and 4 s, and killed together with the
                shell after 6 s, which ``stderr`` reports. None or 0: no time-out.
            on_stdout: Receives the output as text: a function or a coroutine function.
                No more output is read until it returns.
            on_stderr: As ``on_stdout``, for the other stream.

        Raises:
            ShellBusyError: While another command runs.
            ShellClosedError: After its end, ``close``, or the loss of the connection.
            OpenComputerError: ``connection_failed`` when the connection is lost meanwhile.
            Exception: The exception of a callback, after the end of the command.
        """
        if "\0" in cmd:
            raise OpenComputerError(
                "invalid_request", "Cannot run the command in a shell: expected no NUL in it"
            )
        if self._closed_because is not None:
            raise ShellClosedError(
                "shell_closed", f"Shell {self.session_id} {self._closed_because}"
            ) from self._loss
        if self._run is not None:
            raise ShellBusyError(
                "shell_busy",
                f"Shell {self.session_id} still runs a command: wait for its end, or open "
                "another shell for it",
            )
        run = ShellRun({"stdout": on_stdout, "stderr": on_stderr})
        self._run = run
        try:
            await self._session.send_stdin(shell_script(cmd, run.markers))
            if not await is_set_within(run.has_ended, timeout or SECONDS_MAX):
                run.timed_out = True
                await self._interrupt(run)
        except BaseException:
            # The shell is busy until the command has ended.
            start(self._give_up)
            raise
        self._run = None
        return run.result()

    async def close(self) -> None:
        """Ends the shell, unless it has ended.

        A running command is killed with everything that the shell started; otherwise background
        jobs keep running.
        """
        if self._closed_because is None:
            self._closed_because = "was closed: open another one"
            if self._run is None:
                await self._session.send_stdin("builtin exit\n")
            else:
                await self._session.kill()
        await self._has_ended.wait()

    async def _begin(self, session: CommandSession, *, is_new: bool) -> None:
        self._session = session
        self.session_id = session.session_id
        start(self._watch)
        try:
            if is_new:
                await session.send_stdin(SHELL_PROLOGUE)
            await self.run(":")
        except BaseException:
            await session.close()
            await self._has_ended.wait()
            if self.exit_code is None:
                raise
        if self.exit_code is not None:
            raise OpenComputerError(
                "invalid_request",
                f"Cannot open a shell: expected {session.info['command']} to be bash, and it "
                f"ended with exit code {self.exit_code}: {self._stderr_start.strip()}",
            )

    async def _interrupt(self, run: ShellRun) -> None:
        """Interrupts the command until the shell has run an empty one, or is killed with it.

        One signal does not suffice: a program that bash has forked and not yet executed loses it
        to bash's own handler, and bash then waits for that program, be it before or after it has
        printed the end marker; and bash drops the line that it is reading, which may be the one
        that prints it.
        """
        if run.has_ended.is_set():
            return
        run.is_interrupted = True
        began = monotonic()
        while not run.has_ended.is_set() and monotonic() - began < GRACE_SECONDS:
            run.expect_no_probe()
            await self._session.kill(INTERRUPT_SIGNAL)
            probe = CommandMarkers.create()
            run.expect_probe(probe)
            await self._session.send_stdin(end_of_script(run.markers) + shell_script(":", probe))
            sent = monotonic()
            while not await is_set_within(run.has_ended, PROBE_SECONDS):
                if run.command_has_ended() or monotonic() - sent >= CLEAN_UP_SECONDS:
                    break
        if not run.has_ended.is_set():
            await self._session.kill()
            await run.has_ended.wait()

    async def _give_up(self) -> None:
        """Ends the command of a call that was cancelled."""
        run = self._run
        if run is None:
            return
        try:
            await self._interrupt(run)
        except OpenComputerError as error:
            # The caller was cancelled. The next use of the shell raises the error.
            run.fail(error)
        self._run = None

    async def _watch(self) -> None:
        """Waits for the end of the shell."""
        try:
            self.exit_code = await self._session.wait()
        except Exception as error:  # noqa: BLE001 - the run, and every later one, raises it
            self._loss = error
            advice = "attach to it again with exec.reattach_shell"
            self._closed_because = self._closed_because or f"was lost: {advice}"
            if self._run is not None:
                self._run.fail(error)
        else:
            end = f"has ended with exit code {self.exit_code}: open another one"
            self._closed_because = self._closed_because or end
            if self._run is not None:
                await self._run.end_with_shell(self.exit_code)
        finally:
            self._has_ended.set()

    async def _take_stdout(self, text: str) -> None:
        if self._run is not None:
            await self._run.take("stdout", text)

    async def _take_stderr(self, text: str) -> None:
        self._stderr_start += text[: ERROR_CHARACTERS_MAX - len(self._stderr_start)]
        if self._run is not None:
            await self._run.take("stderr", text)


async def open_shell(
    attach: Callable[[OutputCallback, OutputCallback], Awaitable[CommandSession]], *, is_new: bool
) -> Shell:
    """Creates a shell from a session whose command is bash.

    Args:
        attach: Attaches with callbacks for stdout and stderr.
        is_new: False for a shell that was set up before; this waits for the end of a command
            that it still runs.

    Raises:
        OpenComputerError: ``invalid_request`` for a program that is not bash.
    """
    shell = Shell()
    session = await attach(shell._take_stdout, shell._take_stderr)
    await shell._begin(session, is_new=is_new)
    return shell
