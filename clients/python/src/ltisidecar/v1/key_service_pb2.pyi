# SPDX-License-Identifier: Apache-2.0
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetToolKeySetRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetToolKeySetResponse(_message.Message):
    __slots__ = ("jwks", "content_type", "cache_lifetime")
    JWKS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CACHE_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    jwks: str
    content_type: str
    cache_lifetime: _duration_pb2.Duration
    def __init__(self, jwks: _Optional[str] = ..., content_type: _Optional[str] = ..., cache_lifetime: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
