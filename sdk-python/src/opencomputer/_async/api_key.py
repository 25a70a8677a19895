"""API keys."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.send import request_deletion, request_record
from opencomputer._requests import ApiRequest, api_path
from opencomputer.records import ApiKeyEntry, CreatedApiKey

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ApiKey:
    """The keys of the organization that the connection's own key belongs to.

    Every call takes the keywords of ``ConnectionOptions`` and raises ``OpenComputerError``.
    """

    @staticmethod
    async def create(*, name: str, **connection: Unpack[ConnectionOptions]) -> CreatedApiKey:
        """Creates a key. No other response contains its value.

        Args:
            name: A name by which people recognize the key, at most 128 characters.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``limit_exceeded``.
        """
        request = ApiRequest("POST", "/keys", json={"name": name})
        return await request_record(resolve_connection(**connection), request, CreatedApiKey)

    @staticmethod
    async def list(**connection: Unpack[ConnectionOptions]) -> builtins.list[ApiKeyEntry]:
        """Lists all keys of the organization, oldest first, without their values."""
        request = ApiRequest("GET", "/keys")
        shape = builtins.list[ApiKeyEntry]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def revoke(key_id: str, **connection: Unpack[ConnectionOptions]) -> None:
        """Revokes a key at once, by its UUID.

        Raises:
            OpenComputerError: ``not_found``, ``last_api_key``, ``preset_api_key``.
        """
        request = ApiRequest("DELETE", api_path("keys", key_id))
        await request_deletion(resolve_connection(**connection), request)
