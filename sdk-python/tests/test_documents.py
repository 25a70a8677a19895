from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import opencomputer

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_readme_has_examples() -> None:
    assert len(FENCES) > 10


@pytest.mark.parametrize("text", FENCES)
def test_an_example_of_the_readme_uses_existing_names(text: str) -> None:
    compile(text, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    owners = {
        "Sandbox": opencomputer.Sandbox,
        "sandbox": opencomputer.Sandbox,
        "found": opencomputer.Sandbox,
        "fork": opencomputer.Sandbox,
        "exec": opencomputer.Commands,
        "commands": opencomputer.Commands,
        "files": opencomputer.Files,
        "session": opencomputer.CommandSession,
        "again": opencomputer.CommandSession,
        "pty": opencomputer.Terminals,
        "terminal": opencomputer.Terminal,
        "back": opencomputer.Terminal,
        "snapshots": opencomputer.Snapshots,
        "Project": opencomputer.Project,
        "SecretStore": opencomputer.SecretStore,
        "ApiKey": opencomputer.ApiKey,
    }
    for owner, name in re.findall(r"\b(\w+)\.(\w+)\(", text):
        if owner in owners:
            assert hasattr(owners[owner], name), f"{owner}.{name}"
    for line in re.findall(r"^from opencomputer import (.*)$", text, re.MULTILINE):
        assert set(line.split(", ")) <= set(opencomputer.__all__)
