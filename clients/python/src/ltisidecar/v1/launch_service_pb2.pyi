# SPDX-License-Identifier: Apache-2.0
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ltisidecar.v1 import browser_pb2 as _browser_pb2
from ltisidecar.v1 import content_item_pb2 as _content_item_pb2
from ltisidecar.v1 import launch_pb2 as _launch_pb2
from ltisidecar.v1 import notice_pb2 as _notice_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BuildAuthRequestRequest(_message.Message):
    __slots__ = ("browser", "launch_uri", "registration")
    BROWSER_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_URI_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    browser: _browser_pb2.BrowserRequest
    launch_uri: str
    registration: str
    def __init__(self, browser: _Optional[_Union[_browser_pb2.BrowserRequest, _Mapping]] = ..., launch_uri: _Optional[str] = ..., registration: _Optional[str] = ...) -> None: ...

class BuildAuthRequestResponse(_message.Message):
    __slots__ = ("reply", "authorization_uri", "state", "expire_time", "registration")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_URI_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    reply: _browser_pb2.BrowserReply
    authorization_uri: str
    state: str
    expire_time: _timestamp_pb2.Timestamp
    registration: str
    def __init__(self, reply: _Optional[_Union[_browser_pb2.BrowserReply, _Mapping]] = ..., authorization_uri: _Optional[str] = ..., state: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., registration: _Optional[str] = ...) -> None: ...

class ValidateLaunchRequest(_message.Message):
    __slots__ = ("browser", "launch_uri", "accept_message_types")
    BROWSER_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_URI_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_MESSAGE_TYPES_FIELD_NUMBER: _ClassVar[int]
    browser: _browser_pb2.BrowserRequest
    launch_uri: str
    accept_message_types: _containers.RepeatedScalarFieldContainer[_launch_pb2.MessageType]
    def __init__(self, browser: _Optional[_Union[_browser_pb2.BrowserRequest, _Mapping]] = ..., launch_uri: _Optional[str] = ..., accept_message_types: _Optional[_Iterable[_Union[_launch_pb2.MessageType, str]]] = ...) -> None: ...

class ValidateLaunchResponse(_message.Message):
    __slots__ = ("launch", "browser_step", "headers")
    LAUNCH_FIELD_NUMBER: _ClassVar[int]
    BROWSER_STEP_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    launch: _launch_pb2.Launch
    browser_step: _browser_pb2.BrowserReply
    headers: _containers.RepeatedCompositeFieldContainer[_browser_pb2.Header]
    def __init__(self, launch: _Optional[_Union[_launch_pb2.Launch, _Mapping]] = ..., browser_step: _Optional[_Union[_browser_pb2.BrowserReply, _Mapping]] = ..., headers: _Optional[_Iterable[_Union[_browser_pb2.Header, _Mapping]]] = ...) -> None: ...

class CheckLaunchTokenRequest(_message.Message):
    __slots__ = ("launch_token",)
    LAUNCH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    launch_token: str
    def __init__(self, launch_token: _Optional[str] = ...) -> None: ...

class CheckLaunchTokenResponse(_message.Message):
    __slots__ = ("launch", "expire_time")
    LAUNCH_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    launch: _launch_pb2.Launch
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, launch: _Optional[_Union[_launch_pb2.Launch, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BuildStartAssessmentRequest(_message.Message):
    __slots__ = ("proctoring_token", "end_assessment_return", "verified_user", "csp_nonce")
    PROCTORING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    END_ASSESSMENT_RETURN_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_USER_FIELD_NUMBER: _ClassVar[int]
    CSP_NONCE_FIELD_NUMBER: _ClassVar[int]
    proctoring_token: str
    end_assessment_return: bool
    verified_user: VerifiedUser
    csp_nonce: str
    def __init__(self, proctoring_token: _Optional[str] = ..., end_assessment_return: bool = ..., verified_user: _Optional[_Union[VerifiedUser, _Mapping]] = ..., csp_nonce: _Optional[str] = ...) -> None: ...

class VerifiedUser(_message.Message):
    __slots__ = ("given_name", "middle_name", "family_name", "full_name", "picture")
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    MIDDLE_NAME_FIELD_NUMBER: _ClassVar[int]
    FAMILY_NAME_FIELD_NUMBER: _ClassVar[int]
    FULL_NAME_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    given_name: str
    middle_name: str
    family_name: str
    full_name: str
    picture: str
    def __init__(self, given_name: _Optional[str] = ..., middle_name: _Optional[str] = ..., family_name: _Optional[str] = ..., full_name: _Optional[str] = ..., picture: _Optional[str] = ...) -> None: ...

class BuildStartAssessmentResponse(_message.Message):
    __slots__ = ("reply", "start_assessment_uri", "jwt")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    START_ASSESSMENT_URI_FIELD_NUMBER: _ClassVar[int]
    JWT_FIELD_NUMBER: _ClassVar[int]
    reply: _browser_pb2.BrowserReply
    start_assessment_uri: str
    jwt: str
    def __init__(self, reply: _Optional[_Union[_browser_pb2.BrowserReply, _Mapping]] = ..., start_assessment_uri: _Optional[str] = ..., jwt: _Optional[str] = ...) -> None: ...

class BuildDeepLinkingResponseRequest(_message.Message):
    __slots__ = ("deep_linking_token", "items", "message", "log", "error_message", "error_log", "csp_nonce")
    DEEP_LINKING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_LOG_FIELD_NUMBER: _ClassVar[int]
    CSP_NONCE_FIELD_NUMBER: _ClassVar[int]
    deep_linking_token: str
    items: _containers.RepeatedCompositeFieldContainer[_content_item_pb2.ContentItem]
    message: str
    log: str
    error_message: str
    error_log: str
    csp_nonce: str
    def __init__(self, deep_linking_token: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_content_item_pb2.ContentItem, _Mapping]]] = ..., message: _Optional[str] = ..., log: _Optional[str] = ..., error_message: _Optional[str] = ..., error_log: _Optional[str] = ..., csp_nonce: _Optional[str] = ...) -> None: ...

class BuildDeepLinkingResponseResponse(_message.Message):
    __slots__ = ("reply", "return_uri", "jwt")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    RETURN_URI_FIELD_NUMBER: _ClassVar[int]
    JWT_FIELD_NUMBER: _ClassVar[int]
    reply: _browser_pb2.BrowserReply
    return_uri: str
    jwt: str
    def __init__(self, reply: _Optional[_Union[_browser_pb2.BrowserReply, _Mapping]] = ..., return_uri: _Optional[str] = ..., jwt: _Optional[str] = ...) -> None: ...

class ValidateNoticesRequest(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    def __init__(self, body: _Optional[bytes] = ...) -> None: ...

class ValidateNoticesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_notice_pb2.NoticeResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_notice_pb2.NoticeResult, _Mapping]]] = ...) -> None: ...
