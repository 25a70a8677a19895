"""Checkpoints of sandboxes, and their patches."""

from __future__ import annotations

from opencomputer._async.connection import Connection
from opencomputer._async.send import request_deletion, request_record
from opencomputer._platform.asynchronous import sleep
from opencomputer._requests import ApiRequest, api_path
from opencomputer.errors import NotFoundError, OpenComputerError
from opencomputer.records import CheckpointRecord

POLL_SECONDS = 0.25


async def list_checkpoints(connection: Connection, sandbox_id: str) -> list[CheckpointRecord]:
    """Lists the checkpoints of a sandbox, even of a killed one."""
    request = ApiRequest("GET", api_path("sandboxes", sandbox_id, "checkpoints"))
    return await request_record(connection, request, list[CheckpointRecord])


async def delete_checkpoint(connection: Connection, sandbox_id: str, checkpoint_id: str) -> None:
    """Deletes a checkpoint of a sandbox, even of a killed one."""
    path = api_path("sandboxes", sandbox_id, "checkpoints", checkpoint_id)
    await request_deletion(connection, ApiRequest("DELETE", path))


async def wait_until_ready(
    connection: Connection, sandbox_id: str, checkpoint_id: str
) -> CheckpointRecord:
    """Waits for a checkpoint.

    Raises:
        OpenComputerError: ``checkpoint_failed``; ``checkpoint_not_found`` when it is deleted
            meanwhile.
    """
    while True:
        checkpoints = await list_checkpoints(connection, sandbox_id)
        found = [checkpoint for checkpoint in checkpoints if checkpoint["id"] == checkpoint_id]
        if not found:
            raise NotFoundError(
                "checkpoint_not_found",
                f"checkpoint not found: {checkpoint_id} was deleted before it was ready",
                status=404,
            )
        (checkpoint,) = found
        if checkpoint["status"] == "ready":
            return checkpoint
        if checkpoint["status"] == "failed":
            reason = checkpoint.get("failure", "the service's log states the reason")
            raise OpenComputerError(
                "checkpoint_failed",
                f"Checkpoint {checkpoint_id} failed: {reason}",
                status=409,
            )
        await sleep(POLL_SECONDS)
