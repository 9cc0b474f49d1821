# SPDX-License-Identifier: Apache-2.0
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Parameter(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Header(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class BrowserRequest(_message.Message):
    __slots__ = ("parameters", "cookie_header", "method", "origin", "sec_fetch_site", "sec_fetch_dest", "sec_fetch_storage_access", "csp_nonce")
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    COOKIE_HEADER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SEC_FETCH_SITE_FIELD_NUMBER: _ClassVar[int]
    SEC_FETCH_DEST_FIELD_NUMBER: _ClassVar[int]
    SEC_FETCH_STORAGE_ACCESS_FIELD_NUMBER: _ClassVar[int]
    CSP_NONCE_FIELD_NUMBER: _ClassVar[int]
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    cookie_header: str
    method: str
    origin: str
    sec_fetch_site: str
    sec_fetch_dest: str
    sec_fetch_storage_access: str
    csp_nonce: str
    def __init__(self, parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., cookie_header: _Optional[str] = ..., method: _Optional[str] = ..., origin: _Optional[str] = ..., sec_fetch_site: _Optional[str] = ..., sec_fetch_dest: _Optional[str] = ..., sec_fetch_storage_access: _Optional[str] = ..., csp_nonce: _Optional[str] = ...) -> None: ...

class BrowserReply(_message.Message):
    __slots__ = ("status", "headers", "body")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    status: int
    headers: _containers.RepeatedCompositeFieldContainer[Header]
    body: str
    def __init__(self, status: _Optional[int] = ..., headers: _Optional[_Iterable[_Union[Header, _Mapping]]] = ..., body: _Optional[str] = ...) -> None: ...
