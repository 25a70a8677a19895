"""Commands that clients attach to and detach from."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any

from opencomputer._async.connection import Connection
from opencomputer._async.send import request_record
from opencomputer._async.session import (
    CommandSession,
    OutputCallback,
    attach_session,
    kill_session,
)
from opencomputer._async.shell import Shell, open_shell
from opencomputer._requests import ApiRequest, api_path, without_none
from opencomputer._shell_script import SHELL_ARGUMENTS
from opencomputer.records import SessionInfo

KEY_BYTES = 16


class SessionCommands:
    """The part of ``Commands`` that starts and finds command sessions, and shells."""

    def __init__(self, connection: Connection, sandbox_id: str) -> None:
        self._connection = connection
        self._sandbox_id = sandbox_id
        self._path = api_path("sandboxes", sandbox_id, "exec")

    async def start(
        self,
        cmd: str,
        *,
        args: Sequence[str] | None = None,
        envs: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        max_run_after_disconnect: float | None = None,
        idempotency_key: str | None = None,
        on_stdout: OutputCallback | None = None,
        on_stderr: OutputCallback | None = None,
        on_replay_end: Callable[[], Any] | None = None,
    ) -> CommandSession:
        """Starts a command and attaches to it.

        Output arrives as it is written, input can be sent, and the command keeps running when
        this client disconnects.

        Args:
            cmd: As of ``run``.
            args: As of ``run``.
            envs: As of ``run``.
            env: As of ``run``.
            cwd: As of ``run``.
            timeout: Seconds until the command's process group is killed; the exit code is then
                -1. None or 0: never; at most 86400.
            max_run_after_disconnect: Seconds that the command may run after its last client
                disconnected. None or 0: no limit; at most 86400.
            idempotency_key: As of ``run``.
            on_stdout: Receives the output as text: a function or a coroutine function.
                No more output is read until it returns. For bytes, iterate over the session.
            on_stderr: As ``on_stdout``, for the other stream.
            on_replay_end: Called after all output from before the attach was passed on.

        Raises:
            OpenComputerError: As ``run``; ``too_many_requests``.
        """
        info = await self.start_detached(
            cmd,
            args=args,
            envs=envs,
            env=env,
            cwd=cwd,
            timeout=timeout,
            max_run_after_disconnect=max_run_after_disconnect,
            idempotency_key=idempotency_key,
        )
        callbacks = _callbacks(on_stdout, on_stderr, on_replay_end)
        return await attach_session(self._connection, info, callbacks)

    async def start_detached(
        self,
        cmd: str,
        *,
        args: Sequence[str] | None = None,
        envs: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        max_run_after_disconnect: float | None = None,
        idempotency_key: str | None = None,
    ) -> SessionInfo:
        """Starts a command without attaching to it. ``attach`` takes its ``sessionID``.

        The options are those of ``start``.

        Raises:
            OpenComputerError: As ``start``.
        """
        body = command_body(cmd, args, envs, env, cwd, timeout)
        body |= without_none(maxRunAfterDisconnect=max_run_after_disconnect)
        key = idempotency_key or token_hex(KEY_BYTES)
        request = ApiRequest("POST", self._path, json=body, idempotency_key=key)
        return await request_record(self._connection, request, SessionInfo)

    async def attach(
        self,
        session_id: str,
        *,
        on_stdout: OutputCallback | None = None,
        on_stderr: OutputCallback | None = None,
        on_replay_end: Callable[[], Any] | None = None,
    ) -> CommandSession:
        """Attaches to a command, even to one that has ended.

        The last MiB of its earlier output is sent first. The callbacks are those of ``start``.

        Raises:
            NotFoundError: ``session_not_found``.
        """
        info = await self.get(session_id)
        callbacks = _callbacks(on_stdout, on_stderr, on_replay_end)
        return await attach_session(self._connection, info, callbacks)

    async def shell(
        self,
        *,
        shell: str = "/bin/bash",
        cwd: str | None = None,
        envs: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Shell:
        """Opens a persistent shell.

        Changes to the working directory, variables and functions apply to later commands.

        Args:
            shell: Path of the bash to run.
            cwd: Initial working directory. Default ``/home/sandbox``.
            envs: Initial variables; they override the sandbox's.
            env: An alias of ``envs``, which takes precedence.

        Raises:
            OpenComputerError: As ``start``; ``invalid_request`` for a shell that is not bash.
        """
        info = await self.start_detached(shell, args=SHELL_ARGUMENTS, cwd=cwd, envs=envs, env=env)
        return await self._open_shell(info, is_new=True)

    async def reattach_shell(self, session_id: str) -> Shell:
        """Attaches to a shell again.

        This waits for the end of a command that another client runs in it.

        Raises:
            NotFoundError: ``session_not_found``.
        """
        return await self._open_shell(await self.get(session_id), is_new=False)

    async def _open_shell(self, info: SessionInfo, *, is_new: bool) -> Shell:
        async def attach(on_stdout: OutputCallback, on_stderr: OutputCallback) -> CommandSession:
            callbacks = {"on_stdout": on_stdout, "on_stderr": on_stderr}
            return await attach_session(self._connection, info, callbacks)

        return await open_shell(attach, is_new=is_new)

    async def list(self) -> builtins.list[SessionInfo]:
        """Lists the running commands, and those that ended last."""
        request = ApiRequest("GET", self._path)
        return await request_record(self._connection, request, builtins.list[SessionInfo])

    async def get(self, session_id: str) -> SessionInfo:
        """Returns one command.

        Raises:
            NotFoundError: ``session_not_found``.
        """
        request = ApiRequest("GET", self._path + api_path(session_id))
        return await request_record(self._connection, request, SessionInfo)

    async def kill(self, session_id: str, signal: int | None = None) -> None:
        """Sends a signal, 1-64, to a command's process group. Default 9.

        A command that has ended is no error.

        Raises:
            NotFoundError: ``session_not_found``.
        """
        await kill_session(self._connection, self._sandbox_id, session_id, signal)


def command_body(
    cmd: str,
    args: Sequence[str] | None,
    envs: Mapping[str, str] | None,
    env: Mapping[str, str] | None,
    cwd: str | None,
    timeout: float | None,
) -> dict[str, object]:
    """The fields of a request that starts a command."""
    if isinstance(args, str):
        raise TypeError(f"expected args as a list, got the text {args!r}")
    return without_none(
        cmd=cmd,
        args=None if args is None else list(args),
        envs=None if env is None and envs is None else {**(env or {}), **(envs or {})},
        cwd=cwd,
        timeout=timeout,
    )


def _callbacks(
    on_stdout: OutputCallback | None,
    on_stderr: OutputCallback | None,
    on_replay_end: Callable[[], Any] | None,
) -> dict[str, Any]:
    return {"on_stdout": on_stdout, "on_stderr": on_stderr, "on_replay_end": on_replay_end}
