# SPDX-License-Identifier: Apache-2.0
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ltisidecar.v1 import endpoint_pb2 as _endpoint_pb2
from ltisidecar.v1 import launch_message_pb2 as _launch_message_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MessageType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESSAGE_TYPE_UNSPECIFIED: _ClassVar[MessageType]
    MESSAGE_TYPE_RESOURCE_LINK: _ClassVar[MessageType]
    MESSAGE_TYPE_DEEP_LINKING: _ClassVar[MessageType]
    MESSAGE_TYPE_SUBMISSION_REVIEW: _ClassVar[MessageType]
    MESSAGE_TYPE_DATA_PRIVACY: _ClassVar[MessageType]
    MESSAGE_TYPE_START_PROCTORING: _ClassVar[MessageType]
    MESSAGE_TYPE_END_ASSESSMENT: _ClassVar[MessageType]
    MESSAGE_TYPE_ASSET_PROCESSOR_SETTINGS: _ClassVar[MessageType]
    MESSAGE_TYPE_REPORT_REVIEW: _ClassVar[MessageType]
    MESSAGE_TYPE_EULA: _ClassVar[MessageType]

class BrowserBinding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BROWSER_BINDING_UNSPECIFIED: _ClassVar[BrowserBinding]
    BROWSER_BINDING_COOKIE: _ClassVar[BrowserBinding]
    BROWSER_BINDING_PARTITIONED_COOKIE: _ClassVar[BrowserBinding]
    BROWSER_BINDING_PLATFORM_STORAGE: _ClassVar[BrowserBinding]
MESSAGE_TYPE_UNSPECIFIED: MessageType
MESSAGE_TYPE_RESOURCE_LINK: MessageType
MESSAGE_TYPE_DEEP_LINKING: MessageType
MESSAGE_TYPE_SUBMISSION_REVIEW: MessageType
MESSAGE_TYPE_DATA_PRIVACY: MessageType
MESSAGE_TYPE_START_PROCTORING: MessageType
MESSAGE_TYPE_END_ASSESSMENT: MessageType
MESSAGE_TYPE_ASSET_PROCESSOR_SETTINGS: MessageType
MESSAGE_TYPE_REPORT_REVIEW: MessageType
MESSAGE_TYPE_EULA: MessageType
BROWSER_BINDING_UNSPECIFIED: BrowserBinding
BROWSER_BINDING_COOKIE: BrowserBinding
BROWSER_BINDING_PARTITIONED_COOKIE: BrowserBinding
BROWSER_BINDING_PLATFORM_STORAGE: BrowserBinding

class Launch(_message.Message):
    __slots__ = ("launch_id", "launch_token", "registration", "issuer", "client_id", "deployment_id", "target_link_uri", "message_type", "message_type_name", "user", "roles", "role_summary", "context", "resource_link", "custom", "launch_presentation", "tool_platform", "lis", "grades", "memberships", "browser_binding", "claims_json", "launch_time", "mentored_user_ids", "deep_linking", "for_user", "proctoring", "activity", "submission", "asset_id", "asset_report_type", "asset_service", "asset_report_service", "eula_service", "notice_service", "migration", "lti11_legacy_user_id", "groups", "events")
    class CustomEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LAUNCH_ID_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_LINK_URI_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    ROLE_SUMMARY_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_LINK_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_PRESENTATION_FIELD_NUMBER: _ClassVar[int]
    TOOL_PLATFORM_FIELD_NUMBER: _ClassVar[int]
    LIS_FIELD_NUMBER: _ClassVar[int]
    GRADES_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIPS_FIELD_NUMBER: _ClassVar[int]
    BROWSER_BINDING_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_JSON_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_TIME_FIELD_NUMBER: _ClassVar[int]
    MENTORED_USER_IDS_FIELD_NUMBER: _ClassVar[int]
    DEEP_LINKING_FIELD_NUMBER: _ClassVar[int]
    FOR_USER_FIELD_NUMBER: _ClassVar[int]
    PROCTORING_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_REPORT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ASSET_SERVICE_FIELD_NUMBER: _ClassVar[int]
    ASSET_REPORT_SERVICE_FIELD_NUMBER: _ClassVar[int]
    EULA_SERVICE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_SERVICE_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_FIELD_NUMBER: _ClassVar[int]
    LTI11_LEGACY_USER_ID_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    launch_id: str
    launch_token: str
    registration: str
    issuer: str
    client_id: str
    deployment_id: str
    target_link_uri: str
    message_type: MessageType
    message_type_name: str
    user: User
    roles: _containers.RepeatedScalarFieldContainer[str]
    role_summary: RoleSummary
    context: Context
    resource_link: ResourceLink
    custom: _containers.ScalarMap[str, str]
    launch_presentation: LaunchPresentation
    tool_platform: ToolPlatform
    lis: Lis
    grades: _endpoint_pb2.GradeEndpoint
    memberships: _endpoint_pb2.MembershipEndpoint
    browser_binding: BrowserBinding
    claims_json: str
    launch_time: _timestamp_pb2.Timestamp
    mentored_user_ids: _containers.RepeatedScalarFieldContainer[str]
    deep_linking: _launch_message_pb2.DeepLinkingSettings
    for_user: _launch_message_pb2.ForUser
    proctoring: _launch_message_pb2.Proctoring
    activity: _launch_message_pb2.Activity
    submission: _launch_message_pb2.Submission
    asset_id: str
    asset_report_type: str
    asset_service: _launch_message_pb2.AssetService
    asset_report_service: _launch_message_pb2.AssetReportService
    eula_service: _launch_message_pb2.EulaService
    notice_service: _launch_message_pb2.NoticeService
    migration: _launch_message_pb2.Migration
    lti11_legacy_user_id: str
    groups: _endpoint_pb2.GroupEndpoint
    events: _endpoint_pb2.EventEndpoint
    def __init__(self, launch_id: _Optional[str] = ..., launch_token: _Optional[str] = ..., registration: _Optional[str] = ..., issuer: _Optional[str] = ..., client_id: _Optional[str] = ..., deployment_id: _Optional[str] = ..., target_link_uri: _Optional[str] = ..., message_type: _Optional[_Union[MessageType, str]] = ..., message_type_name: _Optional[str] = ..., user: _Optional[_Union[User, _Mapping]] = ..., roles: _Optional[_Iterable[str]] = ..., role_summary: _Optional[_Union[RoleSummary, _Mapping]] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., resource_link: _Optional[_Union[ResourceLink, _Mapping]] = ..., custom: _Optional[_Mapping[str, str]] = ..., launch_presentation: _Optional[_Union[LaunchPresentation, _Mapping]] = ..., tool_platform: _Optional[_Union[ToolPlatform, _Mapping]] = ..., lis: _Optional[_Union[Lis, _Mapping]] = ..., grades: _Optional[_Union[_endpoint_pb2.GradeEndpoint, _Mapping]] = ..., memberships: _Optional[_Union[_endpoint_pb2.MembershipEndpoint, _Mapping]] = ..., browser_binding: _Optional[_Union[BrowserBinding, str]] = ..., claims_json: _Optional[str] = ..., launch_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., mentored_user_ids: _Optional[_Iterable[str]] = ..., deep_linking: _Optional[_Union[_launch_message_pb2.DeepLinkingSettings, _Mapping]] = ..., for_user: _Optional[_Union[_launch_message_pb2.ForUser, _Mapping]] = ..., proctoring: _Optional[_Union[_launch_message_pb2.Proctoring, _Mapping]] = ..., activity: _Optional[_Union[_launch_message_pb2.Activity, _Mapping]] = ..., submission: _Optional[_Union[_launch_message_pb2.Submission, _Mapping]] = ..., asset_id: _Optional[str] = ..., asset_report_type: _Optional[str] = ..., asset_service: _Optional[_Union[_launch_message_pb2.AssetService, _Mapping]] = ..., asset_report_service: _Optional[_Union[_launch_message_pb2.AssetReportService, _Mapping]] = ..., eula_service: _Optional[_Union[_launch_message_pb2.EulaService, _Mapping]] = ..., notice_service: _Optional[_Union[_launch_message_pb2.NoticeService, _Mapping]] = ..., migration: _Optional[_Union[_launch_message_pb2.Migration, _Mapping]] = ..., lti11_legacy_user_id: _Optional[str] = ..., groups: _Optional[_Union[_endpoint_pb2.GroupEndpoint, _Mapping]] = ..., events: _Optional[_Union[_endpoint_pb2.EventEndpoint, _Mapping]] = ...) -> None: ...

class User(_message.Message):
    __slots__ = ("key", "id", "name", "given_name", "family_name", "email", "picture", "locale")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    FAMILY_NAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    key: str
    id: str
    name: str
    given_name: str
    family_name: str
    email: str
    picture: str
    locale: str
    def __init__(self, key: _Optional[str] = ..., id: _Optional[str] = ..., name: _Optional[str] = ..., given_name: _Optional[str] = ..., family_name: _Optional[str] = ..., email: _Optional[str] = ..., picture: _Optional[str] = ..., locale: _Optional[str] = ...) -> None: ...

class RoleSummary(_message.Message):
    __slots__ = ("learner", "instructor", "content_developer", "mentor", "administrator", "teaching_assistant", "administrator_elsewhere", "test_user")
    LEARNER_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTOR_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DEVELOPER_FIELD_NUMBER: _ClassVar[int]
    MENTOR_FIELD_NUMBER: _ClassVar[int]
    ADMINISTRATOR_FIELD_NUMBER: _ClassVar[int]
    TEACHING_ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    ADMINISTRATOR_ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    TEST_USER_FIELD_NUMBER: _ClassVar[int]
    learner: bool
    instructor: bool
    content_developer: bool
    mentor: bool
    administrator: bool
    teaching_assistant: bool
    administrator_elsewhere: bool
    test_user: bool
    def __init__(self, learner: bool = ..., instructor: bool = ..., content_developer: bool = ..., mentor: bool = ..., administrator: bool = ..., teaching_assistant: bool = ..., administrator_elsewhere: bool = ..., test_user: bool = ...) -> None: ...

class Context(_message.Message):
    __slots__ = ("key", "id", "label", "title", "types")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    key: str
    id: str
    label: str
    title: str
    types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[str] = ..., id: _Optional[str] = ..., label: _Optional[str] = ..., title: _Optional[str] = ..., types: _Optional[_Iterable[str]] = ...) -> None: ...

class ResourceLink(_message.Message):
    __slots__ = ("key", "id", "title", "description")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    key: str
    id: str
    title: str
    description: str
    def __init__(self, key: _Optional[str] = ..., id: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class LaunchPresentation(_message.Message):
    __slots__ = ("document_target", "height", "width", "return_uri", "locale")
    DOCUMENT_TARGET_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    RETURN_URI_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    document_target: str
    height: float
    width: float
    return_uri: str
    locale: str
    def __init__(self, document_target: _Optional[str] = ..., height: _Optional[float] = ..., width: _Optional[float] = ..., return_uri: _Optional[str] = ..., locale: _Optional[str] = ...) -> None: ...

class ToolPlatform(_message.Message):
    __slots__ = ("guid", "name", "product_family_code", "version", "description", "uri", "contact_email")
    GUID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FAMILY_CODE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    CONTACT_EMAIL_FIELD_NUMBER: _ClassVar[int]
    guid: str
    name: str
    product_family_code: str
    version: str
    description: str
    uri: str
    contact_email: str
    def __init__(self, guid: _Optional[str] = ..., name: _Optional[str] = ..., product_family_code: _Optional[str] = ..., version: _Optional[str] = ..., description: _Optional[str] = ..., uri: _Optional[str] = ..., contact_email: _Optional[str] = ...) -> None: ...

class Lis(_message.Message):
    __slots__ = ("person_sourcedid", "course_offering_sourcedid", "course_section_sourcedid")
    PERSON_SOURCEDID_FIELD_NUMBER: _ClassVar[int]
    COURSE_OFFERING_SOURCEDID_FIELD_NUMBER: _ClassVar[int]
    COURSE_SECTION_SOURCEDID_FIELD_NUMBER: _ClassVar[int]
    person_sourcedid: str
    course_offering_sourcedid: str
    course_section_sourcedid: str
    def __init__(self, person_sourcedid: _Optional[str] = ..., course_offering_sourcedid: _Optional[str] = ..., course_section_sourcedid: _Optional[str] = ...) -> None: ...
