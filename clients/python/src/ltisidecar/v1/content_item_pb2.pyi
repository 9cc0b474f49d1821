# SPDX-License-Identifier: Apache-2.0
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ltisidecar.v1 import line_item_pb2 as _line_item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ContentItem(_message.Message):
    __slots__ = ("title", "text", "icon", "thumbnail", "extensions_json", "link", "resource_link", "file", "html", "image", "asset_processor", "other")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ICON_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_JSON_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_LINK_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    HTML_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    ASSET_PROCESSOR_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    title: str
    text: str
    icon: ContentImage
    thumbnail: ContentImage
    extensions_json: str
    link: LinkItem
    resource_link: ResourceLinkItem
    file: FileItem
    html: HtmlItem
    image: ImageItem
    asset_processor: AssetProcessorItem
    other: OtherItem
    def __init__(self, title: _Optional[str] = ..., text: _Optional[str] = ..., icon: _Optional[_Union[ContentImage, _Mapping]] = ..., thumbnail: _Optional[_Union[ContentImage, _Mapping]] = ..., extensions_json: _Optional[str] = ..., link: _Optional[_Union[LinkItem, _Mapping]] = ..., resource_link: _Optional[_Union[ResourceLinkItem, _Mapping]] = ..., file: _Optional[_Union[FileItem, _Mapping]] = ..., html: _Optional[_Union[HtmlItem, _Mapping]] = ..., image: _Optional[_Union[ImageItem, _Mapping]] = ..., asset_processor: _Optional[_Union[AssetProcessorItem, _Mapping]] = ..., other: _Optional[_Union[OtherItem, _Mapping]] = ...) -> None: ...

class ContentImage(_message.Message):
    __slots__ = ("uri", "width", "height")
    URI_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    uri: str
    width: int
    height: int
    def __init__(self, uri: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class ContentWindow(_message.Message):
    __slots__ = ("target_name", "width", "height", "window_features")
    TARGET_NAME_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FEATURES_FIELD_NUMBER: _ClassVar[int]
    target_name: str
    width: int
    height: int
    window_features: str
    def __init__(self, target_name: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., window_features: _Optional[str] = ...) -> None: ...

class ContentIframe(_message.Message):
    __slots__ = ("src_uri", "width", "height")
    SRC_URI_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    src_uri: str
    width: int
    height: int
    def __init__(self, src_uri: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class TimeWindow(_message.Message):
    __slots__ = ("start_time", "end_time")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LinkItem(_message.Message):
    __slots__ = ("uri", "embed_html", "window", "iframe")
    URI_FIELD_NUMBER: _ClassVar[int]
    EMBED_HTML_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    IFRAME_FIELD_NUMBER: _ClassVar[int]
    uri: str
    embed_html: str
    window: ContentWindow
    iframe: ContentIframe
    def __init__(self, uri: _Optional[str] = ..., embed_html: _Optional[str] = ..., window: _Optional[_Union[ContentWindow, _Mapping]] = ..., iframe: _Optional[_Union[ContentIframe, _Mapping]] = ...) -> None: ...

class ResourceLinkItem(_message.Message):
    __slots__ = ("uri", "custom", "window", "iframe", "line_item", "available", "submission")
    class CustomEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    URI_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    IFRAME_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEM_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    uri: str
    custom: _containers.ScalarMap[str, str]
    window: ContentWindow
    iframe: ContentIframe
    line_item: _line_item_pb2.LineItem
    available: TimeWindow
    submission: TimeWindow
    def __init__(self, uri: _Optional[str] = ..., custom: _Optional[_Mapping[str, str]] = ..., window: _Optional[_Union[ContentWindow, _Mapping]] = ..., iframe: _Optional[_Union[ContentIframe, _Mapping]] = ..., line_item: _Optional[_Union[_line_item_pb2.LineItem, _Mapping]] = ..., available: _Optional[_Union[TimeWindow, _Mapping]] = ..., submission: _Optional[_Union[TimeWindow, _Mapping]] = ...) -> None: ...

class FileItem(_message.Message):
    __slots__ = ("uri", "expire_time", "media_type")
    URI_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    uri: str
    expire_time: _timestamp_pb2.Timestamp
    media_type: str
    def __init__(self, uri: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., media_type: _Optional[str] = ...) -> None: ...

class HtmlItem(_message.Message):
    __slots__ = ("html",)
    HTML_FIELD_NUMBER: _ClassVar[int]
    html: str
    def __init__(self, html: _Optional[str] = ...) -> None: ...

class ImageItem(_message.Message):
    __slots__ = ("uri", "width", "height")
    URI_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    uri: str
    width: int
    height: int
    def __init__(self, uri: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class AssetProcessorItem(_message.Message):
    __slots__ = ("uri", "custom", "report_json")
    class CustomEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    URI_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_FIELD_NUMBER: _ClassVar[int]
    REPORT_JSON_FIELD_NUMBER: _ClassVar[int]
    uri: str
    custom: _containers.ScalarMap[str, str]
    report_json: str
    def __init__(self, uri: _Optional[str] = ..., custom: _Optional[_Mapping[str, str]] = ..., report_json: _Optional[str] = ...) -> None: ...

class OtherItem(_message.Message):
    __slots__ = ("type", "members_json")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_JSON_FIELD_NUMBER: _ClassVar[int]
    type: str
    members_json: str
    def __init__(self, type: _Optional[str] = ..., members_json: _Optional[str] = ...) -> None: ...
