"""An agent inside a sandbox: it asks a model, runs the commands of its reply, and repeats."""

import json
import os
import subprocess
import sys
import urllib.request

TURNS_MAX = 10
RUN_COMMAND = {
    "name": "run_command",
    "description": "Runs a shell command and returns its output.",
    "input_schema": {
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
    },
}


def ask_model(messages):
    """Sends the conversation to the model and returns its reply."""
    request = urllib.request.Request(
        "https://api.anthropic.com/v1/messages",
        data=json.dumps(
            {
                "model": "claude-haiku-4-5-20251001",
                "max_tokens": 1024,
                "tools": [RUN_COMMAND],
                "messages": messages,
            }
        ).encode(),
        headers={
            # A sealed token: the proxy replaces it with the key.
            "x-api-key": os.environ["ANTHROPIC_API_KEY"],
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def run_command(command):
    """Runs a command of the model."""
    print("$", command)
    done = subprocess.run(
        ["bash", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stdout, end="")
    return f"{done.stdout}\nexit code {done.returncode}"


messages = [{"role": "user", "content": sys.argv[1]}]
for _ in range(TURNS_MAX):
    reply = ask_model(messages)
    messages.append({"role": "assistant", "content": reply["content"]})
    results = []
    for block in reply["content"]:
        if block["type"] == "text":
            print(block["text"])
        elif block["type"] == "tool_use":
            output = run_command(block["input"]["command"])
            result = {"type": "tool_result", "tool_use_id": block["id"], "content": output}
            results.append(result)
    if not results:
        sys.exit(0)
    messages.append({"role": "user", "content": results})
sys.exit(f"no result after {TURNS_MAX} turns")
