"""A terminal that this client is attached to."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from opencomputer._async.closing import Closing
from opencomputer._async.session_socket import SessionSocket
from opencomputer._platform.asynchronous import Lock, Task, call, start
from opencomputer.errors import OpenComputerError

INPUT_MESSAGE_BYTES = 64 * 1024


class Terminal(Closing):
    """A terminal that this client is attached to.

    It keeps running when the client disconnects; ``sandbox.pty.attach`` attaches to it again.

    ``on_output`` receives the output as text. Without it, an iteration yields bytes::

        async for data in terminal:
            sys.stdout.buffer.write(data)

    While the client does not read the output, the program waits. ``async with terminal:``
    detaches at the end.

    Attributes:
        session_id: Identifies the terminal, to attach to it again.
    """

    def __init__(
        self,
        session_id: str,
        socket: SessionSocket,
        *,
        resize: Callable[[int, int], Awaitable[Any]],
        kill: Callable[[], Awaitable[Any]],
        on_output: Callable[[str], Any] | None = None,
    ) -> None:
        self.session_id = session_id
        self._socket = socket
        self._resize = resize
        self._kill = kill
        self._on_output = on_output
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._exit_code: int | None = None
        self._failure: BaseException | None = None
        self._is_over = False
        self._receiving = Lock()
        self._forwarding: Task | None = None
        if on_output is not None:
            self._forwarding = start(self._forward)

    async def send(self, data: str | bytes) -> None:
        r"""Sends input, text as UTF-8 or bytes; returns when more may be sent.

        ``"ls\n"`` runs a command, ``"\x03"`` is Ctrl-C.
        """
        content = data.encode() if isinstance(data, str) else data
        for at in range(0, len(content), INPUT_MESSAGE_BYTES):
            if not await self._socket.send(content[at : at + INPUT_MESSAGE_BYTES]):
                raise OpenComputerError(
                    "connection_failed",
                    f"The connection to terminal {self.session_id} is closed: attach to it again",
                )

    async def resize(self, cols: int, rows: int) -> None:
        """Changes the size of the terminal, in characters, 1-1000 each."""
        await self._resize(cols, rows)

    async def kill(self) -> None:
        """Ends the terminal by SIGHUP, as closing a window does; the exit code is usually 129."""
        await self._kill()

    async def wait(self) -> int:
        """Waits for the end of the shell and returns its exit code, 128 + n after signal n.

        Output that is not read otherwise is dropped.

        Raises:
            OpenComputerError: ``connection_failed`` when the connection is lost; attach again.
            Exception: The exception of the callback.
        """
        if self._forwarding is not None:
            await self._forwarding.join()
        else:
            while await self._next() is not None:
                pass
        if self._exit_code is not None and self._failure is None:
            return self._exit_code
        raise self._failure or self._detached()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The output, until the shell ends or the terminal is closed."""
        if self._forwarding is not None:
            raise RuntimeError("on_output receives the output: omit it to iterate")
        while (data := await self._next()) is not None:
            yield data
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """Detaches: the shell keeps running, and calls that wait for it raise."""
        if not self._is_over and self._failure is None:
            self._failure = self._detached()
        await self._socket.close()
        if self._forwarding is not None:
            await self._forwarding.join()

    async def _forward(self) -> None:
        """Passes the output to the callback, in order."""
        try:
            while (data := await self._next()) is not None:
                await self._show(self._decoder.decode(data))
            await self._show(self._decoder.decode(b"", final=True))
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self._failure = error
            await self._socket.close()

    async def _show(self, text: str) -> None:
        if text and self._on_output is not None:
            await call(self._on_output, text)

    async def _next(self) -> bytes | None:
        """The next output; None after the end of the shell or a detach."""
        async with self._receiving:
            while not self._is_over:
                message = await self._socket.receive()
                if message:
                    return message
                if message is None:
                    await self._end()
            return None

    async def _end(self) -> None:
        self._is_over = True
        code, reason = self._socket.end()
        ended = re.fullmatch(r"exit code (-?\d{1,10})", reason)
        if code == 1000 and ended is not None:
            self._exit_code = int(ended[1])
        else:
            self._failure = self._failure or self._lost()
        await self._socket.close()

    def _lost(self) -> OpenComputerError:
        return OpenComputerError(
            "connection_failed",
            f"The connection to terminal {self.session_id} was lost "
            f"({self._socket.describe_end()}); its shell keeps running: attach to it again",
        )

    def _detached(self) -> OpenComputerError:
        return OpenComputerError(
            "connection_failed", f"This client detached from terminal {self.session_id}"
        )
