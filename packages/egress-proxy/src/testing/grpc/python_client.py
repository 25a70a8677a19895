"""Calls a gRPC server, as each line of its input says, and prints what came of it.

Arguments: the address to connect to, the host that it stands for, and the file
of the authority to trust.
"""

import json
import queue
import sys
from pathlib import Path

import grpc

address, host, authority_file = sys.argv[1:]


def each(messages, received):
    """Yields a message once there is a response to the one before it."""
    for at, message in enumerate(messages):
        if at > 0:
            received.get()
        yield message.encode()


def call(channel, kind, method, messages, metadata, timeout):
    received = queue.SimpleQueue()
    makes = getattr(channel, kind)(f"/test.Test/{method}")
    if kind == "stream_stream":
        sent = each(messages, received)
    elif kind == "stream_unary":
        sent = iter([message.encode() for message in messages])
    else:
        sent = messages[0].encode()
    options = {"metadata": [tuple(pair) for pair in metadata], "timeout": timeout}
    responses = []
    made = makes(sent, **options) if kind.endswith("_stream") else makes.future(sent, **options)
    try:
        if kind.endswith("_stream"):
            for response in made:
                responses.append(response.decode())
                received.put(None)
        else:
            responses.append(made.result().decode())
    except grpc.RpcError:
        # The status is printed.
        pass
    return {
        "messages": responses,
        "code": made.code().value[0],
        "details": made.details() or "",
        "begins": dict(made.initial_metadata() or ()),
        "ends": dict(made.trailing_metadata() or ()),
    }


credentials = grpc.ssl_channel_credentials(Path(authority_file).read_bytes())
options = [("grpc.ssl_target_name_override", host)]
with grpc.secure_channel(address, credentials, options) as channel:
    for line in sys.stdin:
        print(json.dumps(call(channel, **json.loads(line))), flush=True)
