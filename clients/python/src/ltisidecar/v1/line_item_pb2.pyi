# SPDX-License-Identifier: Apache-2.0
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LineItem(_message.Message):
    __slots__ = ("uri", "label", "score_maximum", "resource_link_id", "resource_id", "tag", "start_time", "end_time", "grades_released", "submission_review", "extensions_json")
    URI_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_LINK_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    GRADES_RELEASED_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_REVIEW_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_JSON_FIELD_NUMBER: _ClassVar[int]
    uri: str
    label: str
    score_maximum: float
    resource_link_id: str
    resource_id: str
    tag: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    grades_released: bool
    submission_review: SubmissionReview
    extensions_json: str
    def __init__(self, uri: _Optional[str] = ..., label: _Optional[str] = ..., score_maximum: _Optional[float] = ..., resource_link_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., tag: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., grades_released: bool = ..., submission_review: _Optional[_Union[SubmissionReview, _Mapping]] = ..., extensions_json: _Optional[str] = ...) -> None: ...

class SubmissionReview(_message.Message):
    __slots__ = ("reviewable_status", "label", "uri", "custom")
    class CustomEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REVIEWABLE_STATUS_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_FIELD_NUMBER: _ClassVar[int]
    reviewable_status: _containers.RepeatedScalarFieldContainer[str]
    label: str
    uri: str
    custom: _containers.ScalarMap[str, str]
    def __init__(self, reviewable_status: _Optional[_Iterable[str]] = ..., label: _Optional[str] = ..., uri: _Optional[str] = ..., custom: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("uri", "line_item_uri", "user_key", "user_id", "score", "score_maximum", "scoring_user_id", "comment", "extensions_json")
    URI_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEM_URI_FIELD_NUMBER: _ClassVar[int]
    USER_KEY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SCORE_MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    SCORING_USER_ID_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_JSON_FIELD_NUMBER: _ClassVar[int]
    uri: str
    line_item_uri: str
    user_key: str
    user_id: str
    score: float
    score_maximum: float
    scoring_user_id: str
    comment: str
    extensions_json: str
    def __init__(self, uri: _Optional[str] = ..., line_item_uri: _Optional[str] = ..., user_key: _Optional[str] = ..., user_id: _Optional[str] = ..., score: _Optional[float] = ..., score_maximum: _Optional[float] = ..., scoring_user_id: _Optional[str] = ..., comment: _Optional[str] = ..., extensions_json: _Optional[str] = ...) -> None: ...
