# SPDX-License-Identifier: Apache-2.0
"""Content items: what an author chose, on its way back to the platform.

    ResourceLinkItem(title="Quiz 3", custom={"quiz": "3"}, line_item=LineItem(label="Quiz 3", score_maximum=10))

Every item can have title, text, icon, thumbnail and extensions, by keyword.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ltisidecar._browser import BrowserReply
from ltisidecar._line_item import LineItem


@dataclass(frozen=True, slots=True)
class ContentImage:
    """An icon or a thumbnail. Sizes are in pixels; 0 for none."""

    uri: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class ContentWindow:
    """Opens an item in a window. Sizes are in pixels; 0 for none."""

    target_name: str = ""
    """Items with the same name share a window."""
    width: int = 0
    height: int = 0
    window_features: str = ""
    """As window.open of browsers takes them."""


@dataclass(frozen=True, slots=True)
class ContentIframe:
    """Shows an item in a frame. Sizes are in pixels; 0 for none."""

    src_uri: str = ""
    """Source of the frame: required for a link, and must be empty for a resource link."""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A span of time; either end may be open."""

    start_time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    title: str = ""
    text: str = ""
    """Platforms may take it as HTML."""
    icon: ContentImage | None = None
    """Not for HtmlItem."""
    thumbnail: ContentImage | None = None
    """Not for HtmlItem."""
    extensions: Mapping[str, Any] = field(default_factory=dict)
    """Members to add to the item, by absolute URIs."""


@dataclass(frozen=True, slots=True)
class LinkItem(_Item):
    """A link to a web page."""

    uri: str
    embed_html: str = ""
    """HTML to embed in place of the link."""
    window: ContentWindow | None = None
    iframe: ContentIframe | None = None


@dataclass(frozen=True, slots=True)
class ResourceLinkItem(_Item):
    """A link back to the tool."""

    uri: str = ""
    """What launches of the link will have as target_link_uri; empty: the tool's own default."""
    custom: Mapping[str, str] = field(default_factory=dict)
    """Custom parameters that launches of the link will have."""
    window: ContentWindow | None = None
    iframe: ContentIframe | None = None
    line_item: LineItem | None = None
    """Column to make for the link; score_maximum is required. None for an ungraded link."""
    available: TimeWindow | None = None
    submission: TimeWindow | None = None


@dataclass(frozen=True, slots=True)
class FileItem(_Item):
    """A file for the platform to fetch and keep."""

    uri: str
    expire_time: datetime | None = None
    """When the URI ceases to work."""
    media_type: str = ""
    """Such as `application/pdf`."""


@dataclass(frozen=True, slots=True)
class HtmlItem(_Item):
    """A fragment of HTML to put into the page."""

    html: str


@dataclass(frozen=True, slots=True)
class ImageItem(_Item):
    """An image to show. Sizes are in pixels; 0 for none."""

    uri: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class AssetProcessorItem(_Item):
    """An asset processor to attach to an activity."""

    uri: str = ""
    """What launches of the processor will have as target_link_uri; empty: the tool's own default."""
    custom: Mapping[str, str] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    """Report settings, sent as they are."""


@dataclass(frozen=True, slots=True)
class OtherItem(_Item):
    """An item of any other type that the platform accepts."""

    type: str
    members: Mapping[str, Any] = field(default_factory=dict)
    """Added to the item as they are."""


ContentItem = LinkItem | ResourceLinkItem | FileItem | HtmlItem | ImageItem | AssetProcessorItem | OtherItem


@dataclass(frozen=True, slots=True)
class DeepLinkingResponse:
    """The signed message that takes content items to the platform, and the page that sends it."""

    reply: BrowserReply
    """What to send to the browser."""
    return_uri: str
    """Where the page posts to, for logs and tests."""
    jwt: str = field(repr=False)
    """The message, for tools that post it themselves in the form field JWT."""
