# SPDX-License-Identifier: Apache-2.0
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ltisidecar.v1 import endpoint_pb2 as _endpoint_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ActivityProgress(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTIVITY_PROGRESS_UNSPECIFIED: _ClassVar[ActivityProgress]
    ACTIVITY_PROGRESS_INITIALIZED: _ClassVar[ActivityProgress]
    ACTIVITY_PROGRESS_STARTED: _ClassVar[ActivityProgress]
    ACTIVITY_PROGRESS_IN_PROGRESS: _ClassVar[ActivityProgress]
    ACTIVITY_PROGRESS_SUBMITTED: _ClassVar[ActivityProgress]
    ACTIVITY_PROGRESS_COMPLETED: _ClassVar[ActivityProgress]

class GradingProgress(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRADING_PROGRESS_UNSPECIFIED: _ClassVar[GradingProgress]
    GRADING_PROGRESS_NOT_READY: _ClassVar[GradingProgress]
    GRADING_PROGRESS_FAILED: _ClassVar[GradingProgress]
    GRADING_PROGRESS_PENDING: _ClassVar[GradingProgress]
    GRADING_PROGRESS_PENDING_MANUAL: _ClassVar[GradingProgress]
    GRADING_PROGRESS_FULLY_GRADED: _ClassVar[GradingProgress]

class DeliveryState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_STATE_UNSPECIFIED: _ClassVar[DeliveryState]
    DELIVERY_STATE_DELIVERED: _ClassVar[DeliveryState]
    DELIVERY_STATE_QUEUED: _ClassVar[DeliveryState]
    DELIVERY_STATE_SUPERSEDED: _ClassVar[DeliveryState]
    DELIVERY_STATE_UNCONFIRMED: _ClassVar[DeliveryState]
ACTIVITY_PROGRESS_UNSPECIFIED: ActivityProgress
ACTIVITY_PROGRESS_INITIALIZED: ActivityProgress
ACTIVITY_PROGRESS_STARTED: ActivityProgress
ACTIVITY_PROGRESS_IN_PROGRESS: ActivityProgress
ACTIVITY_PROGRESS_SUBMITTED: ActivityProgress
ACTIVITY_PROGRESS_COMPLETED: ActivityProgress
GRADING_PROGRESS_UNSPECIFIED: GradingProgress
GRADING_PROGRESS_NOT_READY: GradingProgress
GRADING_PROGRESS_FAILED: GradingProgress
GRADING_PROGRESS_PENDING: GradingProgress
GRADING_PROGRESS_PENDING_MANUAL: GradingProgress
GRADING_PROGRESS_FULLY_GRADED: GradingProgress
DELIVERY_STATE_UNSPECIFIED: DeliveryState
DELIVERY_STATE_DELIVERED: DeliveryState
DELIVERY_STATE_QUEUED: DeliveryState
DELIVERY_STATE_SUPERSEDED: DeliveryState
DELIVERY_STATE_UNCONFIRMED: DeliveryState

class Score(_message.Message):
    __slots__ = ("user_id", "score_given", "score_maximum", "activity_progress", "grading_progress", "score_time", "comment", "scoring_user_id")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_GIVEN_FIELD_NUMBER: _ClassVar[int]
    SCORE_MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    GRADING_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SCORE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    SCORING_USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    score_given: float
    score_maximum: float
    activity_progress: ActivityProgress
    grading_progress: GradingProgress
    score_time: _timestamp_pb2.Timestamp
    comment: str
    scoring_user_id: str
    def __init__(self, user_id: _Optional[str] = ..., score_given: _Optional[float] = ..., score_maximum: _Optional[float] = ..., activity_progress: _Optional[_Union[ActivityProgress, str]] = ..., grading_progress: _Optional[_Union[GradingProgress, str]] = ..., score_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., comment: _Optional[str] = ..., scoring_user_id: _Optional[str] = ...) -> None: ...

class PostScoreRequest(_message.Message):
    __slots__ = ("endpoint", "score")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.GradeEndpoint
    score: Score
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.GradeEndpoint, _Mapping]] = ..., score: _Optional[_Union[Score, _Mapping]] = ...) -> None: ...

class ScoreDelivery(_message.Message):
    __slots__ = ("state", "sent_time", "result_uri")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SENT_TIME_FIELD_NUMBER: _ClassVar[int]
    RESULT_URI_FIELD_NUMBER: _ClassVar[int]
    state: DeliveryState
    sent_time: _timestamp_pb2.Timestamp
    result_uri: str
    def __init__(self, state: _Optional[_Union[DeliveryState, str]] = ..., sent_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., result_uri: _Optional[str] = ...) -> None: ...

class PostScoreResponse(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: ScoreDelivery
    def __init__(self, delivery: _Optional[_Union[ScoreDelivery, _Mapping]] = ...) -> None: ...
