"""The size of a sandbox, and what may change it."""

from __future__ import annotations

from typing import Literal, TypedDict


class ScaledSandbox(TypedDict):
    """The size of a sandbox that was scaled.

    ``cpuPercent`` is 100 for each CPU unless it was limited; ``autoscaleDisabled`` is true when
    this call switched autoscale off.
    """

    sandboxID: str
    memoryMB: int
    cpuPercent: int
    autoscaleDisabled: bool


class Autoscale(TypedDict):
    """Whether autoscale is enabled for a sandbox. The bounds are 0 until they are set."""

    sandboxID: str
    enabled: bool
    minMemoryMB: int
    maxMemoryMB: int


class ScalingLock(TypedDict):
    """Whether the size of a sandbox is locked."""

    sandboxID: str
    locked: bool


class LimitsSet(TypedDict):
    """The response to new limits."""

    ok: Literal[True]
