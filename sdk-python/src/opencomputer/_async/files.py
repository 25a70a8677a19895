"""The files of one sandbox."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx

from opencomputer._async.connection import Connection
from opencomputer._async.send import (
    exchange,
    request_deletion,
    request_nothing,
    request_record,
    send_request,
)
from opencomputer._async.upload_source import (
    Part,
    SourceError,
    StreamSource,
    is_source,
    read_parts,
)
from opencomputer._requests import ApiRequest, api_path, without_none
from opencomputer.errors import OpenComputerError
from opencomputer.records import DirectoryEntry, SignedUrl


class Files:
    """Reads and writes files. Paths are absolute, or relative to ``/home/sandbox``.

    Every call raises ``OpenComputerError``: ``not_a_file`` or ``not_a_directory`` for a path of
    the other kind, ``invalid_request`` for one that cannot be used.
    """

    def __init__(self, connection: Connection, sandbox_id: str) -> None:
        self._connection = connection
        self._path = api_path("sandboxes", sandbox_id, "files")

    async def read(self, path: str) -> str:
        """Returns a file's content as UTF-8 text; invalid bytes become U+FFFD.

        Raises:
            NotFoundError: ``file_not_found``.
        """
        return (await self.read_bytes(path)).decode(errors="replace")

    async def read_bytes(self, path: str) -> bytes:
        """Returns a file's bytes.

        Raises:
            NotFoundError: ``file_not_found``.
        """

        async def read(response: httpx.Response) -> bytes:
            return await response.aread()

        return await send_request(self._connection, self._content_of(path), read)

    async def read_stream(self, path: str) -> AsyncIterator[bytes]:
        """Reads a file in parts, one of which is in memory at a time.

        The request is sent when the iteration begins. Iterate to the end, or close the iterator.

        Raises:
            NotFoundError: ``file_not_found``.
            OpenComputerError: ``connection_failed`` when the connection breaks.
        """
        request = self._content_of(path)
        async with exchange(self._connection, request, is_repeated=True) as response:
            async for part in response.aiter_bytes():
                yield part

    async def write(self, path: str, content: str | Part | StreamSource) -> None:
        """Writes a file, replacing an existing one, and creates its missing parents.

        Text is written as UTF-8, content other than text and bytes as by ``write_stream``.

        Raises:
            OpenComputerError: ``guest_storage_full``; nothing was changed then.
        """
        if isinstance(content, str):
            content = content.encode()
        if isinstance(content, bytes | bytearray | memoryview):
            await self._upload(path, bytes(content))
        else:
            await self.write_stream(path, content)

    async def write_stream(self, path: str, source: StreamSource) -> None:
        """Writes a file from an open file or an iterable of bytes.

        One part is in memory at a time, and the next is read only as fast as the sandbox stores
        it. Exceptions of the source are raised unchanged. The request is never repeated.

        Raises:
            OpenComputerError: As ``write``.
        """
        if not is_source(source):
            raise TypeError(f"expected an open file or an iterable of bytes, got {source!r}")
        parts: Any = read_parts(source)
        try:
            await self._upload(path, parts)
        except SourceError as failed:
            failure = failed.error
        else:
            return
        finally:
            await parts.aclose()
        raise failure

    async def list(self, path: str) -> builtins.list[DirectoryEntry]:
        """Lists the entries of a directory; ``size`` is in bytes.

        Raises:
            NotFoundError: ``file_not_found``.
            OpenComputerError: ``directory_too_large`` for more than 100,000 entries.
        """
        request = ApiRequest("GET", f"{self._path}/list", {"path": path})
        return await request_record(self._connection, request, builtins.list[DirectoryEntry])

    async def make_dir(self, path: str) -> None:
        """Creates a directory and its missing parents. One that exists is no error.

        Raises:
            OpenComputerError: ``file_exists`` when the path is a file.
        """
        request = ApiRequest("POST", f"{self._path}/mkdir", {"path": path}, idempotent=True)
        await request_nothing(self._connection, request)

    async def remove(self, path: str) -> None:
        """Deletes a file, or a directory with its contents.

        Raises:
            NotFoundError: ``file_not_found``.
        """
        request = ApiRequest("DELETE", self._path, {"path": path})
        await request_deletion(self._connection, request)

    async def exists(self, path: str) -> bool:
        """Whether a file or a directory exists at the path."""

        async def leave(_response: httpx.Response) -> bool:
            return True

        try:
            return await send_request(self._connection, self._content_of(path), leave)
        except OpenComputerError as error:
            # Below a file there is nothing.
            if error.code in ("file_not_found", "not_a_directory"):
                return False
            if error.code != "not_a_file":
                raise
            return True

    async def download_url(self, path: str, *, expires_in: int | None = None) -> SignedUrl:
        """Creates a URL from which anyone who has it can GET the file, without a key.

        The file need not exist yet.

        Args:
            path: The file.
            expires_in: How long the URL opens the file, in seconds, at most 86400. Default 3600.
        """
        return await self._signed_url("download-url", path, expires_in)

    async def upload_url(self, path: str, *, expires_in: int | None = None) -> SignedUrl:
        """Creates a URL to which anyone who has it can PUT the file, as ``download_url``."""
        return await self._signed_url("upload-url", path, expires_in)

    def _content_of(self, path: str) -> ApiRequest:
        return ApiRequest("GET", self._path, {"path": path}, deadline_seconds=None)

    async def _upload(self, path: str, content: Any) -> None:
        request = ApiRequest(
            "PUT", self._path, {"path": path}, content=content, deadline_seconds=None
        )
        await request_nothing(self._connection, request)

    async def _signed_url(
        self, route: Literal["download-url", "upload-url"], path: str, expires_in: int | None
    ) -> SignedUrl:
        request = ApiRequest(
            "POST",
            f"{self._path}/{route}",
            json=without_none(path=path, expiresIn=expires_in),
            idempotent=True,
        )
        return await request_record(self._connection, request, SignedUrl)
