"""The exceptions of the SDK."""

from __future__ import annotations

from typing import Any

NOT_FOUND = 404


class OpenComputerError(Exception):
    """The one exception of the SDK; a callback's and an upload source's own pass through it.

    ``str(error)`` names the thing, what was expected and what was found. It never holds an API
    key or the value of a secret. The service's codes are listed in its API documentation; the
    SDK's own, which come without a ``status`` unless there was a response, are:

    - ``missing_api_key``, ``invalid_api_key``, ``invalid_api_url``, ``invalid_request``: refused
      before anything was sent
    - ``connection_failed``: the service was not reached, or the connection broke
    - ``request_timed_out``: no response came within the SDK's own deadline
    - ``unexpected_response``: something responded, but not as OpenComputer does
    - ``shell_busy``, ``shell_closed``: a persistent shell could not take the command

    Attributes:
        code: A word that programs may compare, such as ``sandbox_not_found``.
        status: HTTP status of the response; None when there was none.
        details: What the service adds for programs; None when it adds nothing.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        # Both are arguments, so that a copy and a pickle of the exception can be made.
        super().__init__(code, message)
        self.code = code
        self.status = status
        self.details = details

    def __str__(self) -> str:
        return str(self.args[1])


class NotFoundError(OpenComputerError):
    """A sandbox, file, session or other object that does not exist, or is another org's (404)."""


class ShellBusyError(OpenComputerError):
    """A second command for a shell that still runs one (``shell_busy``). Nothing was sent."""


class ShellClosedError(OpenComputerError):
    """A command for a shell that ended, was closed or was lost (``shell_closed``)."""


class ScalingLockedError(OpenComputerError):
    """The size of the sandbox is locked: ``set_scaling_lock(False)`` unlocks it."""


class SecretWarning(UserWarning):
    """A secret was set whose value can be guessed, so that responses are not searched for it."""


def service_error(
    code: str, message: str, *, status: int | None, details: dict[str, Any] | None = None
) -> OpenComputerError:
    """The exception for an error that the service responded with."""
    kind = OpenComputerError
    if status == NOT_FOUND:
        kind = NotFoundError
    elif code == "scaling_locked":
        kind = ScalingLockedError
    return kind(code, message, status=status, details=details)
