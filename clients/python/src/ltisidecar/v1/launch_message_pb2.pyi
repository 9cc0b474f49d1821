# SPDX-License-Identifier: Apache-2.0
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeepLinkingSettings(_message.Message):
    __slots__ = ("return_uri", "accept_types", "accept_presentation_document_targets", "accept_media_types", "accept_multiple", "accept_line_item", "auto_create", "title", "text", "deep_linking_token")
    RETURN_URI_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TYPES_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_PRESENTATION_DOCUMENT_TARGETS_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_MEDIA_TYPES_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_MULTIPLE_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_LINE_ITEM_FIELD_NUMBER: _ClassVar[int]
    AUTO_CREATE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DEEP_LINKING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    return_uri: str
    accept_types: _containers.RepeatedScalarFieldContainer[str]
    accept_presentation_document_targets: _containers.RepeatedScalarFieldContainer[str]
    accept_media_types: str
    accept_multiple: bool
    accept_line_item: bool
    auto_create: bool
    title: str
    text: str
    deep_linking_token: str
    def __init__(self, return_uri: _Optional[str] = ..., accept_types: _Optional[_Iterable[str]] = ..., accept_presentation_document_targets: _Optional[_Iterable[str]] = ..., accept_media_types: _Optional[str] = ..., accept_multiple: bool = ..., accept_line_item: bool = ..., auto_create: bool = ..., title: _Optional[str] = ..., text: _Optional[str] = ..., deep_linking_token: _Optional[str] = ...) -> None: ...

class ForUser(_message.Message):
    __slots__ = ("key", "id", "person_sourcedid", "name", "given_name", "family_name", "email", "roles")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    PERSON_SOURCEDID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    FAMILY_NAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    key: str
    id: str
    person_sourcedid: str
    name: str
    given_name: str
    family_name: str
    email: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[str] = ..., id: _Optional[str] = ..., person_sourcedid: _Optional[str] = ..., name: _Optional[str] = ..., given_name: _Optional[str] = ..., family_name: _Optional[str] = ..., email: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ...) -> None: ...

class Proctoring(_message.Message):
    __slots__ = ("proctoring_token", "attempt_number", "start_assessment_uri", "settings_data", "control", "error_message", "error_log")
    PROCTORING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    START_ASSESSMENT_URI_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_DATA_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_LOG_FIELD_NUMBER: _ClassVar[int]
    proctoring_token: str
    attempt_number: int
    start_assessment_uri: str
    settings_data: str
    control: AssessmentControl
    error_message: str
    error_log: str
    def __init__(self, proctoring_token: _Optional[str] = ..., attempt_number: _Optional[int] = ..., start_assessment_uri: _Optional[str] = ..., settings_data: _Optional[str] = ..., control: _Optional[_Union[AssessmentControl, _Mapping]] = ..., error_message: _Optional[str] = ..., error_log: _Optional[str] = ...) -> None: ...

class AssessmentControl(_message.Message):
    __slots__ = ("registration", "deployment_id", "control_uri", "actions")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTROL_URI_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    control_uri: str
    actions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., control_uri: _Optional[str] = ..., actions: _Optional[_Iterable[str]] = ...) -> None: ...

class Activity(_message.Message):
    __slots__ = ("id", "title")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    id: str
    title: str
    def __init__(self, id: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class Submission(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class AssetService(_message.Message):
    __slots__ = ("registration", "deployment_id", "scopes", "assets")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    ASSETS_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    assets: _containers.RepeatedCompositeFieldContainer[Asset]
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., assets: _Optional[_Iterable[_Union[Asset, _Mapping]]] = ...) -> None: ...

class Asset(_message.Message):
    __slots__ = ("id", "uri", "sha256_checksum", "asset_time", "size", "content_type", "title", "file_name")
    ID_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    SHA256_CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    ASSET_TIME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    uri: str
    sha256_checksum: str
    asset_time: _timestamp_pb2.Timestamp
    size: int
    content_type: str
    title: str
    file_name: str
    def __init__(self, id: _Optional[str] = ..., uri: _Optional[str] = ..., sha256_checksum: _Optional[str] = ..., asset_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., size: _Optional[int] = ..., content_type: _Optional[str] = ..., title: _Optional[str] = ..., file_name: _Optional[str] = ...) -> None: ...

class AssetReportService(_message.Message):
    __slots__ = ("registration", "deployment_id", "report_uri", "scopes")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REPORT_URI_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    report_uri: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., report_uri: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ...) -> None: ...

class EulaService(_message.Message):
    __slots__ = ("registration", "deployment_id", "eula_uri", "scopes")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    EULA_URI_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    eula_uri: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., eula_uri: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ...) -> None: ...

class NoticeService(_message.Message):
    __slots__ = ("registration", "deployment_id", "notice_handlers_uri", "service_versions", "scopes", "notice_types")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    NOTICE_HANDLERS_URI_FIELD_NUMBER: _ClassVar[int]
    SERVICE_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    NOTICE_TYPES_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    notice_handlers_uri: str
    service_versions: _containers.RepeatedScalarFieldContainer[str]
    scopes: _containers.RepeatedScalarFieldContainer[str]
    notice_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., notice_handlers_uri: _Optional[str] = ..., service_versions: _Optional[_Iterable[str]] = ..., scopes: _Optional[_Iterable[str]] = ..., notice_types: _Optional[_Iterable[str]] = ...) -> None: ...

class Migration(_message.Message):
    __slots__ = ("verified", "consumer_key", "user_id", "context_id", "tool_consumer_instance_guid", "resource_link_id")
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_KEY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_CONSUMER_INSTANCE_GUID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_LINK_ID_FIELD_NUMBER: _ClassVar[int]
    verified: bool
    consumer_key: str
    user_id: str
    context_id: str
    tool_consumer_instance_guid: str
    resource_link_id: str
    def __init__(self, verified: bool = ..., consumer_key: _Optional[str] = ..., user_id: _Optional[str] = ..., context_id: _Optional[str] = ..., tool_consumer_instance_guid: _Optional[str] = ..., resource_link_id: _Optional[str] = ...) -> None: ...
