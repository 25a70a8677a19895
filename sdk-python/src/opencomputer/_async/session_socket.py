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
"""How often the client says that it listens.

Only traffic keeps the sandbox from its idle time-out, so this is well below any that is of use.
Pings of the protocol are no traffic of the session.
"""
CLOSE_SECONDS = 1.0
QUEUED_MESSAGES_MAX = 16
"""Above this nothing more is read from the connection, so that the command waits."""


class _Upgrade(ClientConnection):
    """Turns a refusal into the service's own error.

    A redirect is a refusal like any other: to follow one would carry the API key elsewhere.
    """

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().handshake(*args, **kwargs)
        except InvalidStatus as error:
            raise _refusal(error) from error


class SessionSocket:
    """An open WebSocket that says every 3 seconds that its client listens."""

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
        """The next message; None when the connection has ended."""
        try:
            message = await self._connection.recv(decode=False)
        except ConnectionClosed:
            return None
        return message

    async def send(self, message: bytes) -> bool:
        """Sends a message, waiting while the other side takes no more; False when it has gone."""
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
        """Closes the connection; what waits for a message then gets None."""
        self._is_closed.set()
        await self._stack.aclose()

    async def _keep_alive(self) -> None:
        while not await is_set_within(self._is_closed, KEEPALIVE_SECONDS):
            if not await self.send(b""):
                return


def _refusal(error: InvalidStatus) -> OpenComputerError:
    response = error.response
    match parse_json(response.body or b""):
        case {"error": str(message), "code": str(code)}:
            return service_error(code, message, status=response.status_code)
    return OpenComputerError(
        "unexpected_response",
        f"The WebSocket of the session was refused with {response.status_code}: does the API URL "
        "lead to the service, and does a proxy before it pass WebSockets?",
        status=response.status_code,
    )
