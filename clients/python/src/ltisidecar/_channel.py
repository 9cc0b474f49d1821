# SPDX-License-Identifier: Apache-2.0
"""Where the sidecar is, and the gRPC channel to it."""

from __future__ import annotations

import ipaddress
import os

import grpc

from ltisidecar.v1 import (
    grade_service_pb2_grpc,
    key_service_pb2_grpc,
    launch_service_pb2_grpc,
    roster_service_pb2_grpc,
    token_service_pb2_grpc,
)

ADDRESS_VARIABLE = "LTISIDECAR_ADDRESS"
DEFAULT_ADDRESS = "unix:///run/ltisidecar/sidecar.sock"

_OPTIONS: tuple[tuple[str, int], ...] = (
    # Nothing is sent twice behind the tool's back: a launch is accepted once.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # The sidecar is beside the tool: no proxy lies between them.
    ("grpc.enable_http_proxy", 0),
    # A process gets connections of its own, also after a fork.
    ("grpc.use_local_subchannel_pool", 1),
    # A sidecar that restarts is found again at once, not after the usual two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # An error carries its page in the trailers: more than the usual 8 KiB.
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.absolute_max_metadata_size", 128 * 1024),
)


class Connection:
    """A channel and its stubs. It connects with the first call."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        options: list[tuple[str, int | str]] = list(_OPTIONS)
        if is_unix(address):
            options.append(("grpc.default_authority", "localhost"))
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options)
        else:
            self.channel = grpc.secure_channel(address, credentials, options)
        self.launches = launch_service_pb2_grpc.LaunchServiceStub(self.channel)
        self.tokens = token_service_pb2_grpc.TokenServiceStub(self.channel)
        self.grades = grade_service_pb2_grpc.GradeServiceStub(self.channel)
        self.rosters = roster_service_pb2_grpc.RosterServiceStub(self.channel)
        self.keys = key_service_pb2_grpc.KeyServiceStub(self.channel)


def resolve_address(address: str | None, credentials: grpc.ChannelCredentials | None) -> str:
    """Returns the address to use: the one given, else the environment's, else the default one.

    Without credentials a TCP address must be a loopback one, because launches and tokens would cross the network in
    the clear: else ValueError.
    """
    address = address or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS
    if is_unix(address):
        return address
    host, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit() or not host or "/" in host:
        raise ValueError(f"the sidecar's address is unix:///path or host:port, not {address!r}")
    if credentials is None and not _is_loopback(host.strip("[]")):
        raise ValueError(f"the sidecar's address {address!r} is not on this machine: give credentials (mutual TLS)")
    return address


def is_unix(address: str) -> bool:
    return address.startswith(("unix:", "unix-abstract:"))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
