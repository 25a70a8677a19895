"""The tags of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.sandbox_requests import SandboxRequests
from opencomputer._async.send import request_record
from opencomputer._requests import ApiRequest
from opencomputer.records import SandboxTags, TagKey, TagKeys

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SandboxTagging(SandboxRequests):
    """The part of a sandbox that labels it."""

    @staticmethod
    async def list_tag_keys(**connection: Unpack[ConnectionOptions]) -> list[TagKey]:
        """Lists the tag keys of running and hibernated sandboxes, with the number of each."""
        request = ApiRequest("GET", "/tags")
        return (await request_record(resolve_connection(**connection), request, TagKeys))["keys"]

    async def get_tags(self) -> SandboxTags:
        """Returns the sandbox's tags, and when they last changed."""
        return await request_record(self._connection, self._request("GET", "tags"), SandboxTags)

    async def set_tags(self, tags: Mapping[str, str]) -> SandboxTags:
        """Replaces all tags of the sandbox.

        Args:
            tags: At most 50, keys of 1-128 letters, digits, ``_``, ``.``, ``:`` and ``-``, values
                of at most 256 characters.

        Raises:
            OpenComputerError: ``invalid_request``.
        """
        request = self._request("PUT", "tags", json=dict(tags))
        return await request_record(self._connection, request, SandboxTags)

    async def update_tags(self, changes: Mapping[str, str | None]) -> SandboxTags:
        """Sets the tags that have a value, removes those that are None and keeps the others.

        Of changes at the same time none is lost.

        Args:
            changes: At most 100 tags.

        Raises:
            OpenComputerError: ``invalid_request``; ``limit_exceeded`` for more than 50 tags in all.
        """
        request = self._request("PATCH", "tags", json=dict(changes))
        return await request_record(self._connection, request, SandboxTags)
