"""Events of the organization."""

from __future__ import annotations

from typing import Any, TypedDict


class EventRecord(TypedDict):
    """Something that has happened.

    ``id`` is unique, also when an event is received twice. ``cursor`` is its place in the order
    of the events. ``nodeId`` names the installation. ``sandboxId`` is None for an event that
    belongs to no sandbox. ``data`` depends on ``type``.
    """

    id: str
    cursor: str
    nodeId: str
    sandboxId: str | None
    time: str
    type: str
    data: dict[str, Any]


class EventPage(TypedDict):
    """Some events. ``cursor`` is where the next page starts, ``hasMore`` whether it has any yet."""

    events: list[EventRecord]
    cursor: str
    hasMore: bool
