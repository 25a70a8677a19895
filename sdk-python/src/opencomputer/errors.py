"""The exceptions of the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_FOUND = 404


class OpenComputerError(Exception):
    """The base class of the SDK's exceptions. Those of callbacks and sources are not wrapped.

    ``str(error)`` states what failed and what was expected. It never contains an API key or the
    value of a secret. The service's codes are listed in its API documentation; the
    SDK's own, which come without a ``status`` unless there was a response, are:

    - ``missing_api_key``, ``invalid_api_key``, ``invalid_api_url``, ``invalid_request``: refused
      before anything was sent
    - ``connection_failed``: the service was not reached, or the connection broke
    - ``request_timed_out``: no response came within the SDK's own deadline
    - ``unexpected_response``: the response is not one of OpenComputer
    - ``shell_busy``, ``shell_closed``: a persistent shell could not run the command

    Attributes:
        code: A word that programs may compare, such as ``sandbox_not_found``.
        status: HTTP status of the response; None when there was none.
        remediation: The command or the setting that helps; None when there is none.
        details: Further fields of the service's error; None when there are none.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        details: dict[str, Any] | None = None,
        remediation: str | None = None,
    ) -> None:
        # Both are arguments, so that the exception can be copied and pickled.
        super().__init__(code, message)
        self.code = code
        self.status = status
        self.details = details
        self.remediation = remediation

    def __str__(self) -> str:
        return str(self.args[1])


class NotFoundError(OpenComputerError):
    """A sandbox, file, session or other object that does not exist, or is another org's (404)."""


class ShellBusyError(OpenComputerError):
    """The shell is still running a command (``shell_busy``). Nothing was sent."""


class ShellClosedError(OpenComputerError):
    """The shell has ended, was closed, or was lost (``shell_closed``). Nothing was sent."""


class ScalingLockedError(OpenComputerError):
    """The size of the sandbox is locked: ``set_scaling_lock(False)`` unlocks it."""


class SecretWarning(UserWarning):
    """A secret was set whose value can be guessed, so that responses are not searched for it."""


def service_error(
    code: str, message: str, others: Mapping[object, object], *, status: int | None
) -> OpenComputerError:
    """The exception for the body of an error that the service responded with, in its members."""
    kind = OpenComputerError
    if status == NOT_FOUND:
        kind = NotFoundError
    elif code == "scaling_locked":
        kind = ScalingLockedError
    details = others.get("details")
    remediation = others.get("remediation")
    return kind(
        code,
        message,
        status=status,
        details=details if isinstance(details, dict) else None,
        remediation=remediation if isinstance(remediation, str) else None,
    )
