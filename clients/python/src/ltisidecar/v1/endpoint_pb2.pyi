# SPDX-License-Identifier: Apache-2.0
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class GradeEndpoint(_message.Message):
    __slots__ = ("registration", "deployment_id", "line_item_uri", "line_items_uri", "scopes", "can_post_score")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEM_URI_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEMS_URI_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    CAN_POST_SCORE_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    line_item_uri: str
    line_items_uri: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    can_post_score: bool
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., line_item_uri: _Optional[str] = ..., line_items_uri: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., can_post_score: bool = ...) -> None: ...

class MembershipEndpoint(_message.Message):
    __slots__ = ("registration", "deployment_id", "context_memberships_uri", "service_versions")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_MEMBERSHIPS_URI_FIELD_NUMBER: _ClassVar[int]
    SERVICE_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    context_memberships_uri: str
    service_versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., context_memberships_uri: _Optional[str] = ..., service_versions: _Optional[_Iterable[str]] = ...) -> None: ...

class GroupEndpoint(_message.Message):
    __slots__ = ("registration", "deployment_id", "context_groups_uri", "context_group_sets_uri", "service_versions", "scopes")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_GROUPS_URI_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_GROUP_SETS_URI_FIELD_NUMBER: _ClassVar[int]
    SERVICE_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    context_groups_uri: str
    context_group_sets_uri: str
    service_versions: _containers.RepeatedScalarFieldContainer[str]
    scopes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., context_groups_uri: _Optional[str] = ..., context_group_sets_uri: _Optional[str] = ..., service_versions: _Optional[_Iterable[str]] = ..., scopes: _Optional[_Iterable[str]] = ...) -> None: ...

class EventEndpoint(_message.Message):
    __slots__ = ("registration", "deployment_id", "caliper_endpoint_uri", "federated_session_id", "scopes")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CALIPER_ENDPOINT_URI_FIELD_NUMBER: _ClassVar[int]
    FEDERATED_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    caliper_endpoint_uri: str
    federated_session_id: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., caliper_endpoint_uri: _Optional[str] = ..., federated_session_id: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ...) -> None: ...
