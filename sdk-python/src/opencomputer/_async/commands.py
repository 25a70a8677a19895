"""The commands of one sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any, TypedDict

from opencomputer._async.send import request_record
from opencomputer._async.session_commands import KEY_BYTES, SessionCommands, command_body
from opencomputer._requests import ApiRequest, api_path
from opencomputer.records import BackgroundCommand, CommandProgress, CommandResult

COMMAND_SECONDS = 60.0
RESPONSE_GRACE_SECONDS = 120.0
"""Added to the time-out of a command, for waking the sandbox and for the network."""


class _Result(TypedDict):
    exitCode: int
    stdout: str
    stderr: str


class _Progress(TypedDict):
    running: bool


class Commands(SessionCommands):
    """Runs the commands of one sandbox, as ``sandbox.exec`` and ``sandbox.commands``."""

    async def run(
        self,
        cmd: str,
        *,
        args: Sequence[str] | None = None,
        envs: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> CommandResult:
        """Runs a command to its end.

        A failed command raises nothing: check ``exit_code``, which is 128 + n after signal n.

        A request whose response was lost is sent once more with the same idempotency key, so that
        the command runs only once. If the call is cancelled, or this program ends, the command is
        killed within five seconds.

        Args:
            cmd: A script for the sandbox's shell; with ``args`` a program, and nothing is
                interpreted.
            args: Arguments of the program.
            envs: Variables of this command; they override the sandbox's.
            env: An alias of ``envs``, which takes precedence.
            cwd: Working directory. Default ``/home/sandbox``.
            timeout: Seconds until the command's process group is killed; the result then has
                ``exit_code`` -1 and ``stderr`` ends with ``Process timed out``. None or 0: 60;
                at most 86400.
            idempotency_key: 1 to 255 visible ASCII characters. The same command with the same key
                again does not run again: the call waits for the running command, or returns its
                result within ten minutes after its end. Default: a random key, so that the SDK
                can repeat the request.

        Raises:
            OpenComputerError: ``command_not_found`` and ``working_directory_not_found`` when it
                cannot start; ``sandbox_not_found``; ``idempotency_key_reused`` for a key that
                another command has.
        """
        request = ApiRequest(
            "POST",
            f"{self._path}/run",
            json=command_body(cmd, args, envs, env, cwd, timeout),
            deadline_seconds=(timeout or COMMAND_SECONDS) + RESPONSE_GRACE_SECONDS,
            idempotency_key=idempotency_key or token_hex(KEY_BYTES),
        )
        return _result(await request_record(self._connection, request, _Result))

    async def run_async(
        self,
        cmd: str,
        *,
        args: Sequence[str] | None = None,
        envs: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> BackgroundCommand:
        """Runs a command in the background.

        If it ends within 0.4 s, this returns the whole result; otherwise ``result`` returns it
        by its ``exec_id``. The options are those of ``run``.

        Raises:
            OpenComputerError: As ``run``.
        """
        request = ApiRequest(
            "POST",
            f"{self._path}/run-async",
            json=command_body(cmd, args, envs, env, cwd, timeout),
            idempotency_key=idempotency_key or token_hex(KEY_BYTES),
        )
        found: Any = await request_record(self._connection, request, _Progress)
        return BackgroundCommand(
            running=found["running"],
            exec_id=found.get("execId"),
            started_at=found.get("startedAt"),
            exit_code=found.get("exitCode"),
            stdout=found.get("stdout", ""),
            stderr=found.get("stderr", ""),
            truncated=found.get("truncated", False),
        )

    async def result(self, exec_id: str) -> CommandProgress:
        """Returns the output of a background command so far; waits at most 0.5 s for its end.

        Raises:
            NotFoundError: ``session_not_found``.
        """
        request = ApiRequest("GET", self._path + api_path(exec_id, "result"))
        found: Any = await request_record(self._connection, request, _Progress)
        return CommandProgress(
            running=found["running"],
            exit_code=found.get("exitCode"),
            stdout=found.get("stdout", ""),
            stderr=found.get("stderr", ""),
            truncated=found.get("truncated", False),
            error=found.get("error"),
        )


def _result(found: Any) -> CommandResult:
    return CommandResult(
        exit_code=found["exitCode"],
        stdout=found["stdout"],
        stderr=found["stderr"],
        truncated=found.get("truncated", False),
    )
