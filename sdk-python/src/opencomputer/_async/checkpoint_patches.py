"""The patches of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.send import request_deletion, request_record
from opencomputer._requests import ApiRequest, api_path, without_none
from opencomputer.records import CreatedPatch, PatchRecord

if TYPE_CHECKING:
    from typing_extensions import Unpack


class CheckpointPatches:
    """Scripts that every later fork of a checkpoint runs before it accepts commands."""

    @staticmethod
    async def create_checkpoint_patch(
        checkpoint_id: str,
        *,
        script: str,
        description: str | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> PatchRecord:
        """Adds a script for bash to a checkpoint.

        Each later fork runs the scripts in their order before it accepts commands. The first
        failure skips the others and is reported as ``patchError`` of the fork. A script is killed
        after 5 minutes, which is a failure, too.

        Args:
            checkpoint_id: UUID of the checkpoint.
            script: A script for bash, of less than 128 KiB.
            description: A note for your own use, at most 1024 characters.
            **connection: Key and address of the service.

        Raises:
            NotFoundError: ``checkpoint_not_found``.
            OpenComputerError: ``limit_exceeded`` for more than 100 patches.
        """
        body = without_none(script=script, description=description)
        request = ApiRequest("POST", _patches(checkpoint_id), json=body)
        created = await request_record(resolve_connection(**connection), request, CreatedPatch)
        return created["patch"]

    @staticmethod
    async def list_checkpoint_patches(
        checkpoint_id: str, **connection: Unpack[ConnectionOptions]
    ) -> list[PatchRecord]:
        """Lists the patches of a checkpoint, in the order in which they run.

        Raises:
            NotFoundError: ``checkpoint_not_found``.
        """
        request = ApiRequest("GET", _patches(checkpoint_id))
        shape = list[PatchRecord]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def delete_checkpoint_patch(
        checkpoint_id: str, patch_id: str, **connection: Unpack[ConnectionOptions]
    ) -> None:
        """Deletes a patch of a checkpoint.

        Raises:
            NotFoundError: ``patch_not_found``.
        """
        request = ApiRequest("DELETE", _patches(checkpoint_id) + api_path(patch_id))
        await request_deletion(resolve_connection(**connection), request)


def _patches(checkpoint_id: str) -> str:
    return api_path("sandboxes", "checkpoints", checkpoint_id, "patches")
