"""The terminals of one sandbox."""

from __future__ import annotations

import builtins
from typing import Any

from opencomputer._async.connection import Connection
from opencomputer._async.send import request_deletion, request_record
from opencomputer._async.session import OutputCallback
from opencomputer._async.session_socket import SessionSocket
from opencomputer._async.terminal import Terminal
from opencomputer._requests import ApiRequest, api_path, without_none
from opencomputer.records import OpenedTerminal, TerminalInfo


class Terminals:
    """Opens the terminals of one sandbox, as ``sandbox.pty``: shells with job control."""

    def __init__(self, connection: Connection, sandbox_id: str) -> None:
        self._connection = connection
        self._sandbox_id = sandbox_id
        self._path = api_path("sandboxes", sandbox_id, "pty")

    async def create(
        self,
        *,
        cols: int,
        rows: int,
        shell: str | None = None,
        on_output: OutputCallback | None = None,
    ) -> Terminal:
        """Opens a terminal and attaches to it.

        Its login shell runs as the user ``sandbox``, with the sandbox's variables and sealed
        tokens, until it ends: not when this client goes away.

        Args:
            cols: Width in characters, 1-1000.
            rows: Height in characters, 1-1000.
            shell: Path of the shell in the sandbox, or a name in its ``PATH``. Default
                ``/bin/bash``.
            on_output: Receives the output as text: a function or a coroutine function.
                No more output is read until it returns. For bytes, iterate over the terminal.

        Raises:
            OpenComputerError: ``command_not_found`` for a shell that does not exist;
                ``invalid_request``, ``too_many_requests``, ``sandbox_not_found``.
        """
        body = without_none(cols=cols, rows=rows, shell=shell)
        request = ApiRequest("POST", self._path, json=body)
        opened = await request_record(self._connection, request, OpenedTerminal)
        return await self._attach_to(opened["sessionID"], on_output)

    async def attach(self, session_id: str, *, on_output: OutputCallback | None = None) -> Terminal:
        """Attaches to a terminal, even to one that has ended.

        At most the last 256 KiB of its output are replayed first. A full-screen program redraws
        when the terminal is resized, even to its current size.

        Raises:
            NotFoundError: ``session_not_found``.
        """
        await self.get(session_id)
        return await self._attach_to(session_id, on_output)

    async def list(self) -> builtins.list[TerminalInfo]:
        """Lists the running terminals, and those that ended last."""
        request = ApiRequest("GET", self._path)
        return await request_record(self._connection, request, builtins.list[TerminalInfo])

    async def get(self, session_id: str) -> TerminalInfo:
        """Returns one terminal.

        Raises:
            NotFoundError: ``session_not_found``.
        """
        request = ApiRequest("GET", self._path + api_path(session_id))
        return await request_record(self._connection, request, TerminalInfo)

    async def resize(self, session_id: str, *, cols: int, rows: int) -> None:
        """Changes the size of a terminal, in characters, 1-1000 each.

        Raises:
            NotFoundError: ``session_not_found``.
        """
        path = self._path + api_path(session_id, "resize")
        request = ApiRequest("POST", path, json={"cols": cols, "rows": rows})
        await request_record(self._connection, request, dict[str, object])

    async def kill(self, session_id: str) -> None:
        """Ends a terminal, as closing a window does.

        Its shell and foreground process receive SIGHUP. It is then no longer listed.

        Raises:
            NotFoundError: ``session_not_found``.
        """
        request = ApiRequest("DELETE", self._path + api_path(session_id))
        await request_deletion(self._connection, request)

    async def _attach_to(self, session_id: str, on_output: OutputCallback | None) -> Terminal:
        path = self._path + api_path(session_id)
        socket = await SessionSocket.open(self._connection, path)

        async def resize(cols: int, rows: int) -> Any:
            await self.resize(session_id, cols=cols, rows=rows)

        async def kill() -> Any:
            await self.kill(session_id)

        return Terminal(session_id, socket, resize=resize, kill=kill, on_output=on_output)
