"""Sources that a file is written from without holding it in memory."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Protocol, TypeAlias

from opencomputer._platform.asynchronous import close_iterator, run_blocking

FILE_PART_BYTES = 256 * 1024


class BinaryFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, empty at the end."""


Part: TypeAlias = bytes | bytearray | memoryview
StreamSource: TypeAlias = BinaryFile | AsyncIterable[Part] | Iterable[Part]
"""An open file, or parts in order. The SDK reads it only as fast as the sandbox stores it."""


def is_source(content: object) -> bool:
    """Whether content is streamed."""
    return hasattr(content, "read") or hasattr(content, "__aiter__") or hasattr(content, "__iter__")


class SourceError(Exception):
    """Wraps the exception of a source, which httpx could otherwise mistake for its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


async def read_parts(source: StreamSource) -> AsyncIterator[bytes]:
    """The parts of a source. A generator is closed with this one; an open file stays open.

    Raises:
        SourceError: With what the source raised.
    """
    try:
        if hasattr(source, "read"):
            while data := await run_blocking(_read, source):
                yield data
        elif isinstance(source, AsyncIterable):
            async for part in source:
                yield _as_bytes(part)
        else:
            for part in source:
                yield _as_bytes(part)
    except Exception as error:
        raise SourceError(error) from error
    finally:
        await close_iterator(source)


def _as_bytes(part: Part) -> bytes:
    # For a number, `bytes` would return that many zeros.
    return part if isinstance(part, bytes) else bytes(memoryview(part))


def _read(source: BinaryFile) -> bytes:
    part = source.read(FILE_PART_BYTES)
    if isinstance(part, str):
        raise TypeError("expected a file that is open for bytes: open it with mode 'rb'")
    return part
