"""Sends one request with the client of a name to a URL."""

import sys


def with_requests(url):
    import requests

    requests.get(url)


def with_httpx(url):
    import httpx

    httpx.get(url)


def with_aiohttp(url):
    import asyncio

    import aiohttp

    async def get():
        async with aiohttp.ClientSession() as session, session.get(url):
            pass

    asyncio.run(get())


def with_grpcio(url):
    from urllib.parse import urlsplit

    import grpc

    parts = urlsplit(url)
    channel = grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials())
    channel.unary_unary(parts.path + "/call")(b"", timeout=20)


def with_certifi(url):
    import ssl
    import urllib.request

    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    urllib.request.urlopen(url, context=context)


globals()["with_" + sys.argv[1]](sys.argv[2])
