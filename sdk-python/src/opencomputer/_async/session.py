"""Command sessions: commands that a client attaches to and detaches from."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

from opencomputer._async.closing import Closing
from opencomputer._async.connection import Connection
from opencomputer._async.send import request_record
from opencomputer._async.session_socket import SessionSocket
from opencomputer._platform.asynchronous import Event, Lock, Task, call, start
from opencomputer._requests import ApiRequest, api_path, without_none
from opencomputer.errors import OpenComputerError
from opencomputer.records import OutputChunk, SessionInfo

STDIN_FRAME = b"\x00"
STDOUT_FRAME = 1
STDERR_FRAME = 2
EXIT_FRAME = 3
REPLAY_END_FRAME = 4
INPUT_MESSAGE_BYTES = 64 * 1024

OutputCallback = Callable[[str], Any]


class CommandSession(Closing):
    """A command that this client is attached to.

    It keeps running when the client disconnects; ``sandbox.exec.attach`` attaches to it again.

    ``on_stdout`` and ``on_stderr`` receive the output. Without them, an iteration yields it::

        async for chunk in session:
            print(chunk["stream"], chunk["text"])

    While the client does not read the output, the command waits. ``async with session:``
    detaches at the end.

    Attributes:
        session_id: Identifies the session, to attach to it again.
        info: The record of the session at the time of attaching.
    """

    def __init__(
        self,
        connection: Connection,
        info: SessionInfo,
        socket: SessionSocket,
        *,
        on_stdout: OutputCallback | None = None,
        on_stderr: OutputCallback | None = None,
        on_replay_end: Callable[[], Any] | None = None,
    ) -> None:
        self.session_id = info["sessionID"]
        self.info = info
        self._connection = connection
        self._socket = socket
        self._on_stdout = on_stdout
        self._on_stderr = on_stderr
        self._on_replay_end = on_replay_end
        self._decoders = {
            "stdout": codecs.getincrementaldecoder("utf-8")("replace"),
            "stderr": codecs.getincrementaldecoder("utf-8")("replace"),
        }
        self._exit_code: int | None = None
        self._failure: BaseException | None = None
        self._is_over = False
        # One reader receives at a time. What `wait` receives while an iteration begins is kept
        # for the iteration.
        self._receiving = Lock()
        self._kept: deque[OutputChunk] = deque()
        self._iterations = 0
        self._not_iterated = Event()
        self._not_iterated.set()
        self._forwarding: Task | None = None
        if on_stdout is not None or on_stderr is not None:
            self._forwarding = start(self._forward)

    async def wait(self) -> int:
        """Waits for the end of the command and returns its exit code.

        The code is -1 after a time-out and 128 + n after signal n. Output that is not
        read otherwise is dropped; during an iteration, it is left to the iteration.

        Raises:
            OpenComputerError: ``connection_failed`` when the connection is lost; attach again.
            Exception: The exception of a callback.
        """
        if self._forwarding is not None:
            await self._forwarding.join()
        else:
            await self._drop_output()
        if self._exit_code is not None and self._failure is None:
            return self._exit_code
        raise self._failure or self._detached()

    async def __aiter__(self) -> AsyncIterator[OutputChunk]:
        """The output of both streams in order, until the command ends or the session is closed."""
        if self._forwarding is not None:
            raise RuntimeError("on_stdout and on_stderr receive the output: omit both to iterate")
        self._iterations += 1
        self._not_iterated.clear()
        try:
            while (chunk := await self._next_chunk()) is not None:
                yield chunk
            if self._failure is not None:
                raise self._failure
        finally:
            self._iterations -= 1
            if self._iterations == 0:
                self._not_iterated.set()

    async def send_stdin(self, data: str | bytes) -> None:
        """Writes to the command's input, text as UTF-8; returns when more may be written."""
        content = data.encode() if isinstance(data, str) else data
        for at in range(0, len(content), INPUT_MESSAGE_BYTES):
            await self._send_input(content[at : at + INPUT_MESSAGE_BYTES])

    async def end_stdin(self) -> None:
        """Ends the command's input."""
        await self._send_input(b"")

    async def kill(self, signal: int | None = None) -> None:
        """Sends a signal, 1-64, to the command's process group. Default 9."""
        await kill_session(self._connection, self.info["sandboxID"], self.session_id, signal)

    async def close(self) -> None:
        """Detaches: the command keeps running, and calls that wait for it raise."""
        if not self._is_over and self._failure is None:
            self._failure = self._detached()
        await self._socket.close()
        if self._forwarding is not None:
            await self._forwarding.join()

    async def _forward(self) -> None:
        """Passes the output to the callbacks, in order."""
        try:
            while (chunk := await self._receive()) is not None:
                callback = self._on_stdout if chunk["stream"] == "stdout" else self._on_stderr
                if callback is not None and chunk["text"]:
                    await call(callback, chunk["text"])
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self._failure = error
            await self._socket.close()

    async def _drop_output(self) -> None:
        while not self._is_over:
            await self._not_iterated.wait()
            async with self._receiving:
                if self._iterations == 0:
                    await self._drop_chunk()

    async def _drop_chunk(self) -> None:
        chunk = await self._receive()
        if chunk is not None and self._iterations > 0:
            self._kept.append(chunk)

    async def _next_chunk(self) -> OutputChunk | None:
        async with self._receiving:
            if self._kept:
                return self._kept.popleft()
            return await self._receive()

    async def _receive(self) -> OutputChunk | None:
        """The next piece of output; None after the end of the session or a detach."""
        while not self._is_over:
            message = await self._socket.receive()
            if message is None:
                self._failure = self._failure or self._lost()
                await self._end()
            elif message[:1] == bytes([EXIT_FRAME]) and len(message) == 5:
                self._exit_code = int.from_bytes(message[1:], "big", signed=True)
                await self._end()
            elif message == bytes([REPLAY_END_FRAME]):
                if self._on_replay_end is not None:
                    await call(self._on_replay_end)
            elif len(message) > 1 and message[0] in (STDOUT_FRAME, STDERR_FRAME):
                return self._chunk(
                    "stdout" if message[0] == STDOUT_FRAME else "stderr", message[1:]
                )
        return self._last_chunk()

    def _chunk(self, stream: Literal["stdout", "stderr"], data: bytes) -> OutputChunk:
        return {"stream": stream, "data": data, "text": self._decoders[stream].decode(data)}

    def _last_chunk(self) -> OutputChunk | None:
        """The incomplete character at the end of a stream, if there is one."""
        streams: tuple[Literal["stdout", "stderr"], ...] = ("stdout", "stderr")
        for stream in streams:
            text = self._decoders[stream].decode(b"", final=True)
            if text:
                return {"stream": stream, "data": b"", "text": text}
        return None

    async def _end(self) -> None:
        self._is_over = True
        self._not_iterated.set()
        await self._socket.close()

    async def _send_input(self, content: bytes) -> None:
        if not await self._socket.send(STDIN_FRAME + content):
            raise OpenComputerError(
                "connection_failed",
                f"The connection to session {self.session_id} is closed: attach to it again",
            )

    def _lost(self) -> OpenComputerError:
        return OpenComputerError(
            "connection_failed",
            f"The connection to session {self.session_id} was lost "
            f"({self._socket.describe_end()}); the command keeps running: attach to it again",
        )

    def _detached(self) -> OpenComputerError:
        return OpenComputerError(
            "connection_failed", f"This client detached from session {self.session_id}"
        )


async def attach_session(
    connection: Connection, info: SessionInfo, callbacks: dict[str, Any]
) -> CommandSession:
    """Attaches to an existing session."""
    path = api_path("sandboxes", info["sandboxID"], "exec", info["sessionID"])
    socket = await SessionSocket.open(connection, path)
    return CommandSession(connection, info, socket, **callbacks)


async def kill_session(
    connection: Connection, sandbox_id: str, session_id: str, signal: int | None
) -> None:
    """Sends a signal to the process group of a session."""
    path = api_path("sandboxes", sandbox_id, "exec", session_id, "kill")
    request = ApiRequest("POST", path, json=without_none(signal=signal))
    await request_record(connection, request, dict[str, object])
