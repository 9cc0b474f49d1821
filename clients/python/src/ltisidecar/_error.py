# SPDX-License-Identifier: Apache-2.0
"""Exceptions, and how they come out of an error status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, Help, RetryInfo
from google.rpc.status_pb2 import Status

from ltisidecar._browser import BrowserReply
from ltisidecar._convert import browser_reply
from ltisidecar._reason import Reason
from ltisidecar.v1 import browser_pb2

_DETAILS = "grpc-status-details-bin"
_DOMAIN = "ltisidecar"


class SidecarError(Exception):
    """A call that failed. Its subclasses say who must act; it is raised itself for defects and unknown codes."""

    message: str
    """For people: names what was compared. Not for the browser's user: for that there is reply."""
    code: str
    """Name of the gRPC status code, such as `PERMISSION_DENIED`."""
    reason: Reason | None
    """The cause; None where the sidecar itself did not answer."""
    metadata: Mapping[str, str]
    """Details as documented for the reason."""
    retry_after: float | None
    """Seconds to wait before another try; None where nothing was said."""
    help_uri: str
    """Page about this reason, for developers and operators; empty where the sidecar named none."""
    reply: BrowserReply | None
    """Page to show to the browser's user; None where the call does not answer a browser."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: Reason | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        help_uri: str = "",
        reply: BrowserReply | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        self.help_uri = help_uri
        self.reply = reply

    @property
    def launch_id(self) -> str:
        """Launch that the error is about, for NONCE_REPLAYED the one accepted before; empty where none is named."""
        return self.metadata.get("launch_id", "")

    @property
    def request_id(self) -> str:
        """What the sidecar's log calls the request; empty where the sidecar did not answer."""
        return self.metadata.get("request_id", "")

    def __str__(self) -> str:
        return f"{self.reason or self.code}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), vars(self))


class InvalidRequest(SidecarError):
    """Something that only the tool itself sets is wrong (INVALID_ARGUMENT)."""


class LaunchRejected(SidecarError):
    """The launch, or the launch token, is refused; everything a browser can cause (PERMISSION_DENIED)."""


class PlatformError(SidecarError):
    """The operator or the platform must change something; trying again will not help (FAILED_PRECONDITION)."""


class Unavailable(SidecarError):
    """Sidecar, store or platform are out of reach or too slow; trying again can help (UNAVAILABLE,
    DEADLINE_EXCEEDED). Where the sidecar itself did not answer, reason is None."""


class LimitReached(SidecarError):
    """Throttled, or more than a limit allows (RESOURCE_EXHAUSTED). Try again only where retry_after is set."""


class Incomplete(SidecarError):
    """A roster or a list of results ended before it was whole: use nothing of it."""


_BY_CODE: Mapping[str, type[SidecarError]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "PERMISSION_DENIED": LaunchRejected,
    "FAILED_PRECONDITION": PlatformError,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": Unavailable,
    "RESOURCE_EXHAUSTED": LimitReached,
}


def _rebuild(kind: type[SidecarError], values: dict[str, Any]) -> SidecarError:
    return kind(**values)


def from_status(code: str, message: str, details: Iterable[AnyMessage]) -> SidecarError:
    """Returns the exception for an error status. Details that cannot be read do not hide it."""
    reason: Reason | None = None
    metadata: dict[str, str] = {}
    retry_after: float | None = None
    help_uri = ""
    reply: BrowserReply | None = None
    for detail in details:
        info, retry, links, page = ErrorInfo(), RetryInfo(), Help(), browser_pb2.BrowserReply()
        try:
            if detail.Unpack(info):
                if info.domain == _DOMAIN:
                    reason = Reason(info.reason)
                    metadata = dict(info.metadata)
            elif detail.Unpack(retry):
                retry_after = retry.retry_delay.ToTimedelta().total_seconds()
            elif detail.Unpack(links):
                help_uri = next((link.url for link in links.links), "")
            elif detail.Unpack(page):
                reply = browser_reply(page)
        except DecodeError:
            continue
    return _BY_CODE.get(code, SidecarError)(
        message or "the call failed",
        code=code,
        reason=reason,
        metadata=metadata,
        retry_after=retry_after,
        help_uri=help_uri,
        reply=reply,
    )


def from_rpc_error(error: grpc.RpcError) -> SidecarError:
    """Returns the exception for a failed gRPC call."""
    if not isinstance(error, (grpc.Call, grpc.aio.AioRpcError)):
        return SidecarError(str(error))
    return from_status(error.code().name, error.details() or "", _details(error.trailing_metadata()))


def _details(trailers: Iterable[tuple[str, str | bytes]] | None) -> Iterable[AnyMessage]:
    for name, value in trailers or ():
        if name == _DETAILS and isinstance(value, bytes):
            try:
                details: Iterable[AnyMessage] = Status.FromString(value).details
                return details
            except DecodeError:
                return ()
    return ()
