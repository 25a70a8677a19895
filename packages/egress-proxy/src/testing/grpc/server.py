"""A gRPC server over TLS, whose messages are plain bytes.

Arguments: the files of its certificate and its key. It prints its port, and
then a line for each call with the metadata that it received, and one for each
call that was cancelled.
"""

import json
import sys
import threading
from concurrent import futures
from pathlib import Path

import grpc


def report(line):
    print(json.dumps(line), flush=True)


def authorization(context):
    return dict(context.invocation_metadata()).get("authorization", "")


def unary(request, context):
    context.send_initial_metadata((("x-begins", authorization(context)),))
    context.set_trailing_metadata((("x-ends", authorization(context)),))
    return request


def join(requests, context):
    return b",".join(requests)


def split(request, context):
    yield from request.split(b",")


def echo(requests, context):
    yield from requests


def wait(request, context):
    """Never responds: the caller's deadline ends the call."""
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait()
    report({"cancelled": True})
    return b""


def reveal(request, context):
    """Responds with what the metadata hold, after a message that does not."""
    yield b"first"
    yield b"<" + authorization(context).encode() + b">"
    yield b"never"


def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, f"none for {authorization(context)}")


class Methods(grpc.GenericRpcHandler):
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Join": grpc.stream_unary_rpc_method_handler(join),
        "Split": grpc.unary_stream_rpc_method_handler(split),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
        "Wait": grpc.unary_unary_rpc_method_handler(wait),
        "Reveal": grpc.unary_stream_rpc_method_handler(reveal),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    }

    def service(self, call):
        report({"method": call.method, "metadata": dict(call.invocation_metadata)})
        return self.handlers.get(call.method.removeprefix("/test.Test/"))


certificate, key = (Path(path).read_bytes() for path in sys.argv[1:3])
server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
server.add_generic_rpc_handlers((Methods(),))
port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(((key, certificate),)))
server.start()
report({"port": port})
sys.stdin.read()
