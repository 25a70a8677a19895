"""Requests before they are sent, and the meaning of responses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx

from opencomputer._shapes import find_fault
from opencomputer._version import user_agent
from opencomputer.errors import OpenComputerError, service_error

DEADLINE_SECONDS = 300.0
SAVE_SECONDS = 960.0
"""The service gives up on saving memory and disk after 15 minutes."""
RETRY_DELAY_SECONDS = 0.25
CONNECT_SECONDS = 10.0
START_SECONDS_MAX = 600.0
"""A first start prepares the guest image, which takes minutes where guests are emulated."""
RETRY_AFTER_SECONDS_MAX = 30.0
RETRIED_STATUSES = frozenset({502, 503, 504})
"""A gateway or the service reports that the request was not carried out."""

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class ApiRequest:
    """One call of the HTTP API."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    """Below ``/api``, made with ``api_path``."""
    query: Mapping[str, str | Sequence[str] | None] = field(default_factory=dict)
    """A sequence has its name once for each of its values."""
    json: object = None
    content: bytes | AsyncIterable[bytes] | Iterable[bytes] | None = None
    """A body of bytes; one that is not ``bytes`` is streamed and never repeated."""
    idempotent: bool | None = None
    """Whether the request may be repeated. None: every method but POST."""
    idempotency_key: str | None = None
    """Allows a POST to be repeated: the service carries it out once."""
    accept: str = "application/json"
    deadline_seconds: float | None = DEADLINE_SECONDS
    """How long to wait for the next bytes of the response; None: no limit."""

    @property
    def is_streamed(self) -> bool:
        """Whether its body can be read only once."""
        return not isinstance(self.content, bytes | None)

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent once more after a failure."""
        if self.is_streamed:
            return False
        if self.idempotent is not None:
            return self.idempotent
        return self.method != "POST" or self.idempotency_key is not None

    def arguments(self, base_url: str, api_key: str) -> dict[str, Any]:
        """Arguments for httpx."""
        headers = {"x-api-key": api_key, "accept": self.accept, "user-agent": user_agent}
        if self.idempotency_key is not None:
            headers["idempotency-key"] = self.idempotency_key
        content = self.content
        if self.json is not None:
            headers["content-type"] = "application/json"
            content = to_json(self.json)
        elif content is not None:
            headers["content-type"] = "application/octet-stream"
        deadline = self.deadline_seconds
        return {
            "method": self.method,
            "url": base_url + self.path,
            "params": {key: value for key, value in self.query.items() if value is not None},
            "headers": headers,
            "content": content,
            "timeout": httpx.Timeout(deadline, connect=CONNECT_SECONDS, pool=None),
        }


def api_path(*segments: str) -> str:
    """A path of escaped segments.

    Raises:
        OpenComputerError: ``invalid_request`` for an empty segment, ``.`` and ``..``.
    """
    path = ""
    for segment in segments:
        if segment in ("", ".", ".."):
            raise OpenComputerError(
                "invalid_request",
                f"Cannot address {path}/…: expected an id or a name, got {segment!r}",
            )
        path += "/" + quote(segment, safe="")
    return path


def without_none(**fields: object) -> dict[str, object]:
    """The fields that are not None; defaults of project or platform apply to the others."""
    return {name: value for name, value in fields.items() if value is not None}


def to_timestamp(moment: datetime | None) -> str | None:
    """A moment in UTC, as the API takes it. Without a time zone it is in that of this machine."""
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def to_json(value: object) -> bytes:
    """JSON as bytes. Text that is not valid Unicode is escaped, so that the service reports it."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def parse_json(text: str | bytes | bytearray) -> object:
    """The value of a JSON text; None when it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def parse_response(request: ApiRequest, response: httpx.Response, shape: type[Shape]) -> Shape:
    """The JSON of a response whose body was read.

    Raises:
        OpenComputerError: ``unexpected_response`` when it does not have the shape.
    """
    value = parse_json(response.content)
    fault = find_fault(shape, value)
    if fault is not None:
        raise _unexpected_response(request, response, fault)
    return value  # type: ignore[return-value]


def response_error(request: ApiRequest, response: httpx.Response) -> OpenComputerError:
    """The error of a response that is not 2xx and whose body was read."""
    match parse_json(response.content):
        case {"error": str(message), "code": str(code), **others}:
            return service_error(code, message, others, status=response.status_code)
    return _unexpected_response(request, response, "it is not an error of the service")


def _unexpected_response(
    request: ApiRequest, response: httpx.Response, fault: str
) -> OpenComputerError:
    kind = response.headers.get("content-type", "no content type")
    return OpenComputerError(
        "unexpected_response",
        f"{request.method} {request.path} returned {response.status_code} ({kind}), which is not "
        f"a response of OpenComputer ({fault}): does the API URL lead to the service, and is it "
        "of this SDK's version?",
        status=response.status_code,
    )


def connection_error(base_url: str, request: ApiRequest, error: Exception) -> OpenComputerError:
    """The error for a request without a complete response."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return unreachable(base_url, reason)
    if isinstance(error, httpx.TimeoutException):
        return OpenComputerError(
            "request_timed_out",
            f"{request.method} {request.path} got no response within "
            f"{request.deadline_seconds:g} s: the service at the API URL may hang; it may still "
            "carry the request out",
        )
    advice = (
        "try again"
        if request.method == "GET"
        else "it may have been carried out; check before you repeat it"
    )
    return OpenComputerError(
        "connection_failed",
        f"The connection to OpenComputer at {base_url} broke during {request.method} "
        f"{request.path} ({reason}): {advice}",
    )


def unreachable(base_url: str, reason: str) -> OpenComputerError:
    """The error for a connection that was not established, so that nothing was carried out."""
    return OpenComputerError(
        "connection_failed",
        f"Cannot reach OpenComputer at {base_url} ({reason}): start it with `npm run serve`, or "
        "set OPENCOMPUTER_API_URL to where it runs",
    )


def is_retried(request: ApiRequest, error: OpenComputerError) -> bool:
    """Whether a request is sent once more, shortly after this error."""
    if not request.is_repeatable or retry_after_seconds(error) is not None:
        return False
    return error.code == "connection_failed" or error.status in RETRIED_STATUSES


def retry_after_seconds(error: OpenComputerError) -> float | None:
    """Seconds until a starting service can be called again; None for every other error."""
    if error.code != "worker_unavailable" or error.details is None:
        return None
    seconds = error.details.get("retryAfterSeconds")
    if not isinstance(seconds, int | float) or seconds < 0:
        return None
    return min(float(seconds), RETRY_AFTER_SECONDS_MAX)
