"""What sandboxes use of their hosts."""

from __future__ import annotations

from typing import Literal, TypedDict

from opencomputer.records.sandboxes import SandboxStatus

UsageInterval = Literal["hour", "day"]


class UsageTotal(TypedDict):
    """What one sandbox, or several together, used in a period.

    ``runningSeconds`` is the sum of the times that the sandboxes ran, ``memoryMBSeconds`` counts
    each MB for as long as it was held. The peaks are those of one sandbox. The bytes of the network
    include what callers of the API sent and read.
    """

    runningSeconds: float
    cpuSeconds: float
    memoryMBSeconds: float
    memoryPeakBytes: int
    diskPeakBytes: int
    networkReceivedBytes: int
    networkSentBytes: int


class UsageBucket(UsageTotal):
    """The usage in the hour, or the day in UTC, that begins at ``start``."""

    start: str


class CurrentUsage(TypedDict):
    """What a sandbox uses now. A hibernated one has only its disk.

    ``cpuPercent`` is of one CPU: 200 is two whole CPUs. ``uptimeSeconds`` is the time since it was
    created, woken, restored or rebooted.
    """

    readAt: str
    uptimeSeconds: float
    cpuPercent: float
    memoryBytes: int
    diskBytes: int


class SandboxUsage(TypedDict):
    """The usage of a sandbox. ``current`` is None for one that was killed or was never read.

    An hour or a day in which it did not run has no bucket.
    """

    sandboxID: str
    status: SandboxStatus
    since: str
    until: str
    interval: UsageInterval
    current: CurrentUsage | None
    total: UsageTotal
    buckets: list[UsageBucket]


class CurrentOrgUsage(TypedDict):
    """What all running sandboxes use now, together."""

    runningCount: int
    cpuPercent: float
    memoryBytes: int
    diskBytes: int


class SandboxUsageRow(UsageTotal):
    """One sandbox in the usage of an organization."""

    sandboxID: str
    status: SandboxStatus
    tags: dict[str, str]


class OrgUsage(TypedDict):
    """The usage of an organization. ``cursor`` is where the next page of ``sandboxes`` starts."""

    since: str
    until: str
    interval: UsageInterval
    current: CurrentOrgUsage
    sandboxCount: int
    total: UsageTotal
    buckets: list[UsageBucket]
    sandboxes: list[SandboxUsageRow]
    cursor: str | None


class TagUsageRow(UsageTotal):
    """The usage of sandboxes that have the same value of a tag; None for those without it."""

    value: str | None
    sandboxCount: int


class TagUsage(TypedDict):
    """The usage by the values of a tag. ``cursor`` is where the next page starts."""

    key: str
    since: str
    until: str
    interval: UsageInterval
    values: list[TagUsageRow]
    cursor: str | None
