"""The WebSocket of a command session or a terminal."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)

from opencomputer._async.connection import Connection
from opencomputer._platform.asynchronous import Event, is_set_within, start
from opencomputer._requests import CONNECT_SECONDS, parse_json, unreachable
from opencomputer._version import user_agent
from opencomputer.errors import OpenComputerError, service_error

KEEPALIVE_SECONDS = 3.0
"""Interval of keep-alive messages.

Only session traffic resets the idle time-out of the sandbox, and WebSocket pings do not count.
"""
CLOSE_SECONDS = 1.0
QUEUED_MESSAGES_MAX = 16
"""At this number of messages the connection is not read, so that the command waits."""


class _Upgrade(ClientConnection):
    """A connection that raises the service's own error for a refused handshake.

    A redirect is refused too, because following it would send the API key to another host.
    """

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().handshake(*args, **kwargs)
        except InvalidStatus as error:
            raise _refusal(error) from error


class SessionSocket:
    """An open WebSocket that sends a keep-alive message every 3 seconds."""

    def __init__(self, connection: ClientConnection, stack: AsyncExitStack) -> None:
        self._connection = connection
        self._stack = stack
        self._is_closed = Event()
        self._keepalive = start(self._keep_alive)

    @classmethod
    async def open(cls, connection: Connection, path: str) -> SessionSocket:
        """Opens the WebSocket at a path of the API.

        Raises:
            OpenComputerError: The service's own error, or ``connection_failed``.
        """
        url = connection.base_url.replace("http", "ws", 1) + path
        async with AsyncExitStack() as stack:
            try:
                # Versions of the library differ in the type of what the block gets.
                opened: Any = await stack.enter_async_context(
                    connect(
                        url,
                        create_connection=_Upgrade,
                        additional_headers={"x-api-key": connection.api_key},
                        user_agent_header=user_agent,
                        compression=None,
                        open_timeout=CONNECT_SECONDS,
                        ping_interval=None,
                        close_timeout=CLOSE_SECONDS,
                        max_size=None,
                        max_queue=QUEUED_MESSAGES_MAX,
                    )
                )
            except (OSError, InvalidHandshake, InvalidURI) as error:
                reason = str(error) or type(error).__name__
                raise unreachable(connection.base_url, reason) from error
            return cls(opened, stack.pop_all())
        raise AssertionError("the block above returns or raises")

    async def receive(self) -> bytes | None:
        """The next message; None after the end of the connection."""
        try:
            message = await self._connection.recv(decode=False)
        except ConnectionClosed:
            return None
        return message

    async def send(self, message: bytes) -> bool:
        """Sends a message, waiting while the peer reads none; False after the connection ended."""
        try:
            await self._connection.send(message)
        except ConnectionClosed:
            return False
        return True

    def end(self) -> tuple[int | None, str]:
        """The code and the reason that the connection was closed with."""
        return self._connection.close_code, self._connection.close_reason or ""

    def describe_end(self) -> str:
        """Why the connection ended, for a message."""
        code, reason = self._connection.close_code, self._connection.close_reason
        return reason if reason and code != 1000 else f"code {code}"

    async def close(self) -> None:
        """Closes the connection; a pending ``receive`` returns None."""
        self._is_closed.set()
        await self._stack.aclose()

    async def _keep_alive(self) -> None:
        while not await is_set_within(self._is_closed, KEEPALIVE_SECONDS):
            if not await self.send(b""):
                return


def _refusal(error: InvalidStatus) -> OpenComputerError:
    response = error.response
    match parse_json(response.body or b""):
        case {"error": str(message), "code": str(code), **others}:
            return service_error(code, message, others, status=response.status_code)
    return OpenComputerError(
        "unexpected_response",
        f"The WebSocket of the session was refused with {response.status_code}: does the API URL "
        "lead to the service, and does a proxy before it pass WebSockets?",
        status=response.status_code,
    )
