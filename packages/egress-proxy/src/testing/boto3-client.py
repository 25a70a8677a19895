"""Uses S3 with boto3 as a sandbox does: with the credentials of the environment.

Reads options as JSON from stdin, and prints what it found as JSON. Connections
begin at the sandbox's address and end at the proxy, whatever the host.
"""

import io
import json
import socket
import sys
import urllib.error
import urllib.request

import boto3
import botocore.exceptions
import botocore.parsers
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

options = json.load(sys.stdin)
bucket, prefix = options["bucket"], options["prefix"]
connect = socket.socket.connect


def connect_to_proxy(self, _address):
    self.bind((options["guestAddress"], 0))
    connect(self, (options["proxyAddress"], options["proxyPort"]))


def resolve_to_proxy(_host, port, *_arguments, **_named):
    address = (options["proxyAddress"], port)
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]


socket.socket.connect = connect_to_proxy
socket.getaddrinfo = resolve_to_proxy
# The proxy refuses for a reason that stays: an attempt shows it.
config = Config(signature_version="s3v4", retries={"total_max_attempts": 1})
s3 = boto3.client("s3", config=config)
mebibyte = 1024 * 1024
in_parts = TransferConfig(multipart_threshold=5 * mebibyte, multipart_chunksize=5 * mebibyte)


def put_and_get(key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() == key


def names():
    kept = [key for key in options["keys"] if put_and_get(prefix + key)]
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": 3}
    )
    listed = [found["Key"].removeprefix(prefix) for page in pages for found in page["Contents"]]
    return {"kept": kept, "listed": sorted(listed)}


def parts():
    """A file that is sent in parts, from a stream, and read in ranges at the same time."""
    data = bytes(range(256)) * (11 * mebibyte // 256) + b"end"
    s3.upload_fileobj(io.BytesIO(data), bucket, prefix + "parts", Config=in_parts)
    received = io.BytesIO()
    s3.download_fileobj(bucket, prefix + "parts", received, Config=in_parts)
    return received.getvalue() == data


def copy_and_delete():
    source = {"Bucket": bucket, "Key": f"{prefix}a +ä"}
    s3.put_object(**source, Body=b"copied", ContentType="text/plain; charset=utf-8")
    s3.copy_object(Bucket=bucket, Key=prefix + "copy", CopySource=source)
    copy = s3.get_object(Bucket=bucket, Key=prefix + "copy")
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": source["Key"]}]})
    return [copy["Body"].read().decode(), len(deleted["Deleted"])]


def presigned():
    parameters = {"Bucket": bucket, "Key": f"{prefix}pre signed"}
    put_url = s3.generate_presigned_url("put_object", Params=parameters)
    get_url = s3.generate_presigned_url("get_object", Params=parameters)
    try:
        put = urllib.request.Request(put_url, data=b"signed", method="PUT")
        urllib.request.urlopen(put).read()
        with urllib.request.urlopen(get_url) as got:
            return got.read().decode()
    except urllib.error.HTTPError as error:
        return error.code


def error_of(call):
    """What boto3 reports of a call whose response is not one of AWS."""
    try:
        return str(call())
    except botocore.exceptions.BotoCoreError as error:
        return str(error)
    except botocore.parsers.ResponseParserError as error:
        return str(error)


def token_service():
    sts = boto3.client("sts", config=config)
    return [error_of(sts.get_caller_identity), error_of(sts.get_session_token)]


work = {
    "names": names,
    "parts": parts,
    "copy and delete": copy_and_delete,
    "presigned": presigned,
    "token service": token_service,
}
print(json.dumps({name: work[name]() for name in options["work"]}))
