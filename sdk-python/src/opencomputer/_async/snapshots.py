"""Snapshots: images with a name."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opencomputer._async.build_events import request_with_log
from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.send import request_deletion, request_record
from opencomputer._requests import ApiRequest, api_path
from opencomputer.image import Image
from opencomputer.records import BuildLogEvent, SnapshotRecord

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Snapshots:
    """Named images, built before the sandboxes that start from them.

    It takes the keywords of ``ConnectionOptions``. Every call raises ``OpenComputerError``.
    """

    def __init__(self, **connection: Unpack[ConnectionOptions]) -> None:
        self._options = connection

    async def create(
        self,
        *,
        name: str,
        image: Image,
        on_build_log: Callable[[BuildLogEvent], Any] | None = None,
    ) -> SnapshotRecord:
        """Builds an image and names it; returns when it can be used.

        An image that exists already is not built again. The build continues when the call is
        cancelled.

        Args:
            name: Unique in the organization, at most 128 characters. ``Sandbox.create`` takes it
                as ``snapshot``.
            image: What to build.
            on_build_log: Gets each line of the build as it comes: a function or a coroutine
                function.

        Raises:
            OpenComputerError: ``name_in_use``; ``image_build_failed`` with the step, its command
                and the end of its output; ``too_many_requests`` when the organization builds as
                many images as it may; ``limit_exceeded`` when it has as many snapshots as it may,
                ``limit_reached`` when no disk space is left to it.
        """
        body = {"name": name, "image": image.to_dict()}
        request = ApiRequest("POST", "/snapshots", json=body)
        return await request_with_log(
            resolve_connection(**self._options), request, SnapshotRecord, on_build_log
        )

    async def list(self) -> builtins.list[SnapshotRecord]:
        """Lists all snapshots of the organization, by name."""
        request = ApiRequest("GET", "/snapshots")
        shape = builtins.list[SnapshotRecord]
        return await request_record(resolve_connection(**self._options), request, shape)

    async def get(self, name: str) -> SnapshotRecord:
        """Returns one snapshot.

        Raises:
            NotFoundError: ``not_found``.
        """
        request = ApiRequest("GET", api_path("snapshots", name))
        return await request_record(resolve_connection(**self._options), request, SnapshotRecord)

    async def delete(self, name: str) -> None:
        """Deletes a snapshot. Sandboxes created from it keep running.

        Raises:
            NotFoundError: ``not_found``.
        """
        request = ApiRequest("DELETE", api_path("snapshots", name))
        await request_deletion(resolve_connection(**self._options), request)
