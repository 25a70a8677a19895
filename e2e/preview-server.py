"""A server in a sandbox, on its loopback alone, for e2e/previews.test.ts."""

import base64
import hashlib
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

go = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def respond(self, content, kind="text/plain"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Set-Cookie", "own=1; Domain=sandbox.localhost; Path=/")
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/headers":
            self.respond(json.dumps(dict(self.headers.items())).encode(), "application/json")
        elif path == "/zeros":
            self.zeros(int(query))
        elif path == "/events":
            self.events()
        elif path == "/go":
            go.set()
            self.respond(b"gone")
        elif path == "/echo":
            self.echo()
        else:
            self.respond(b"hello from the sandbox")

    def do_PUT(self):
        missing = int(self.headers["Content-Length"])
        digest = hashlib.sha256()
        while missing > 0:
            part = self.rfile.read(min(missing, 65536))
            digest.update(part)
            missing -= len(part)
        self.respond(digest.hexdigest().encode())

    def zeros(self, count):
        self.send_response(200)
        self.send_header("Content-Length", str(count))
        self.end_headers()
        part = bytes(65536)
        for _ in range(count // len(part)):
            self.wfile.write(part)

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"data: first\n\n")
        go.wait()
        go.clear()
        self.chunk(b"data: second\n\n")
        self.chunk(b"")

    def chunk(self, content):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def echo(self):
        """RFC 6455 with short text messages, which come back."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        while True:
            first, length = struct.unpack("BB", self.rfile.read(2))
            mask = self.rfile.read(4)
            masked = self.rfile.read(length & 127)
            content = bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked))
            self.wfile.write(bytes([first, len(content)]) + content)
            self.wfile.flush()
            if first & 15 == 8:
                return


ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
