# SPDX-License-Identifier: Apache-2.0
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ltisidecar.v1 import launch_pb2 as _launch_pb2
from ltisidecar.v1 import launch_message_pb2 as _launch_message_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NoticeResult(_message.Message):
    __slots__ = ("notice", "refusal")
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    notice: Notice
    refusal: NoticeRefusal
    def __init__(self, notice: _Optional[_Union[Notice, _Mapping]] = ..., refusal: _Optional[_Union[NoticeRefusal, _Mapping]] = ...) -> None: ...

class NoticeRefusal(_message.Message):
    __slots__ = ("reason", "message", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("id", "type", "notice_time", "duplicate", "registration", "issuer", "client_id", "deployment_id", "user", "context", "origin_context_ids", "custom", "for_user", "activity", "submission", "asset_service", "asset_report_service", "claims_json")
    class CustomEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_TIME_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_CONTEXT_IDS_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_FIELD_NUMBER: _ClassVar[int]
    FOR_USER_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    ASSET_SERVICE_FIELD_NUMBER: _ClassVar[int]
    ASSET_REPORT_SERVICE_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_JSON_FIELD_NUMBER: _ClassVar[int]
    id: str
    type: str
    notice_time: _timestamp_pb2.Timestamp
    duplicate: bool
    registration: str
    issuer: str
    client_id: str
    deployment_id: str
    user: _launch_pb2.User
    context: _launch_pb2.Context
    origin_context_ids: _containers.RepeatedScalarFieldContainer[str]
    custom: _containers.ScalarMap[str, str]
    for_user: _launch_message_pb2.ForUser
    activity: _launch_message_pb2.Activity
    submission: _launch_message_pb2.Submission
    asset_service: _launch_message_pb2.AssetService
    asset_report_service: _launch_message_pb2.AssetReportService
    claims_json: str
    def __init__(self, id: _Optional[str] = ..., type: _Optional[str] = ..., notice_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., duplicate: bool = ..., registration: _Optional[str] = ..., issuer: _Optional[str] = ..., client_id: _Optional[str] = ..., deployment_id: _Optional[str] = ..., user: _Optional[_Union[_launch_pb2.User, _Mapping]] = ..., context: _Optional[_Union[_launch_pb2.Context, _Mapping]] = ..., origin_context_ids: _Optional[_Iterable[str]] = ..., custom: _Optional[_Mapping[str, str]] = ..., for_user: _Optional[_Union[_launch_message_pb2.ForUser, _Mapping]] = ..., activity: _Optional[_Union[_launch_message_pb2.Activity, _Mapping]] = ..., submission: _Optional[_Union[_launch_message_pb2.Submission, _Mapping]] = ..., asset_service: _Optional[_Union[_launch_message_pb2.AssetService, _Mapping]] = ..., asset_report_service: _Optional[_Union[_launch_message_pb2.AssetReportService, _Mapping]] = ..., claims_json: _Optional[str] = ...) -> None: ...
