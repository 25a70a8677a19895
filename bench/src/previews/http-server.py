"""A small asyncio server for the bench: 64 bytes, or as many zeros as the path says."""

import asyncio

SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + b"x" * 64
PART = bytes(256 * 1024)


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            if path == b"/":
                writer.write(SMALL)
            else:
                count = int(path[1:])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
                for _ in range(count // len(PART)):
                    writer.write(PART)
                    await writer.drain()
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", 8000, limit=65536)
    async with server:
        await server.serve_forever()


asyncio.run(main())
