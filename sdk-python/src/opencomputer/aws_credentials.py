"""AWS credentials as the value of a secret."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AwsCredentials:
    """AWS credentials, which requests are signed with. Without a session token: long-term ones.

    Printing them shows none of them.
    """

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
