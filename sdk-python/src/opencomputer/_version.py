"""What the SDK calls itself to the service."""

from importlib.metadata import PackageNotFoundError, version

try:
    sdk_version = version("opencomputer-sdk")
except PackageNotFoundError:  # imported from a source tree that nobody installed
    sdk_version = "0"

user_agent = f"opencomputer-sdk-python/{sdk_version}"
