# SPDX-License-Identifier: Apache-2.0
from ltisidecar.v1 import endpoint_pb2 as _endpoint_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MemberStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEMBER_STATUS_UNSPECIFIED: _ClassVar[MemberStatus]
    MEMBER_STATUS_ACTIVE: _ClassVar[MemberStatus]
    MEMBER_STATUS_INACTIVE: _ClassVar[MemberStatus]
    MEMBER_STATUS_DELETED: _ClassVar[MemberStatus]
MEMBER_STATUS_UNSPECIFIED: MemberStatus
MEMBER_STATUS_ACTIVE: MemberStatus
MEMBER_STATUS_INACTIVE: MemberStatus
MEMBER_STATUS_DELETED: MemberStatus

class ListMembersRequest(_message.Message):
    __slots__ = ("endpoint", "role", "resource_link_id", "page_size_hint", "differences_uri", "groups")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_LINK_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_HINT_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_URI_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.MembershipEndpoint
    role: str
    resource_link_id: str
    page_size_hint: int
    differences_uri: str
    groups: bool
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.MembershipEndpoint, _Mapping]] = ..., role: _Optional[str] = ..., resource_link_id: _Optional[str] = ..., page_size_hint: _Optional[int] = ..., differences_uri: _Optional[str] = ..., groups: bool = ...) -> None: ...

class ListMembersResponse(_message.Message):
    __slots__ = ("batch", "end")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    batch: MemberBatch
    end: RosterEnd
    def __init__(self, batch: _Optional[_Union[MemberBatch, _Mapping]] = ..., end: _Optional[_Union[RosterEnd, _Mapping]] = ...) -> None: ...

class MemberBatch(_message.Message):
    __slots__ = ("context", "members")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    context: RosterContext
    members: _containers.RepeatedCompositeFieldContainer[Member]
    def __init__(self, context: _Optional[_Union[RosterContext, _Mapping]] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ...) -> None: ...

class RosterContext(_message.Message):
    __slots__ = ("id", "label", "title")
    ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    id: str
    label: str
    title: str
    def __init__(self, id: _Optional[str] = ..., label: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class RosterEnd(_message.Message):
    __slots__ = ("member_count", "differences_uri")
    MEMBER_COUNT_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_URI_FIELD_NUMBER: _ClassVar[int]
    member_count: int
    differences_uri: str
    def __init__(self, member_count: _Optional[int] = ..., differences_uri: _Optional[str] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("user_key", "user_id", "status", "roles", "name", "given_name", "family_name", "middle_name", "email", "picture", "person_sourcedid", "lti11_legacy_user_id", "message_json", "group_ids")
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    FAMILY_NAME_FIELD_NUMBER: _ClassVar[int]
    MIDDLE_NAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    PERSON_SOURCEDID_FIELD_NUMBER: _ClassVar[int]
    LTI11_LEGACY_USER_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_JSON_FIELD_NUMBER: _ClassVar[int]
    GROUP_IDS_FIELD_NUMBER: _ClassVar[int]
    user_key: str
    user_id: str
    status: MemberStatus
    roles: _containers.RepeatedScalarFieldContainer[str]
    name: str
    given_name: str
    family_name: str
    middle_name: str
    email: str
    picture: str
    person_sourcedid: str
    lti11_legacy_user_id: str
    message_json: str
    group_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_key: _Optional[str] = ..., user_id: _Optional[str] = ..., status: _Optional[_Union[MemberStatus, str]] = ..., roles: _Optional[_Iterable[str]] = ..., name: _Optional[str] = ..., given_name: _Optional[str] = ..., family_name: _Optional[str] = ..., middle_name: _Optional[str] = ..., email: _Optional[str] = ..., picture: _Optional[str] = ..., person_sourcedid: _Optional[str] = ..., lti11_legacy_user_id: _Optional[str] = ..., message_json: _Optional[str] = ..., group_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ListGroupsRequest(_message.Message):
    __slots__ = ("endpoint", "user_id", "page_size_hint")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_HINT_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.GroupEndpoint
    user_id: str
    page_size_hint: int
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.GroupEndpoint, _Mapping]] = ..., user_id: _Optional[str] = ..., page_size_hint: _Optional[int] = ...) -> None: ...

class ListGroupsResponse(_message.Message):
    __slots__ = ("groups", "sets")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    sets: _containers.RepeatedCompositeFieldContainer[GroupSet]
    def __init__(self, groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ..., sets: _Optional[_Iterable[_Union[GroupSet, _Mapping]]] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("id", "name", "tag", "set_ids", "hidden")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    SET_IDS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    tag: str
    set_ids: _containers.RepeatedScalarFieldContainer[str]
    hidden: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., tag: _Optional[str] = ..., set_ids: _Optional[_Iterable[str]] = ..., hidden: bool = ...) -> None: ...

class GroupSet(_message.Message):
    __slots__ = ("id", "name", "tag", "hidden")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    tag: str
    hidden: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., tag: _Optional[str] = ..., hidden: bool = ...) -> None: ...
