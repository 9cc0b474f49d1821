# SPDX-License-Identifier: Apache-2.0
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ltisidecar.v1 import endpoint_pb2 as _endpoint_pb2
from ltisidecar.v1 import line_item_pb2 as _line_item_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
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
    DELIVERY_STATE_DELIVERING: _ClassVar[DeliveryState]
    DELIVERY_STATE_REFUSED: _ClassVar[DeliveryState]
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
DELIVERY_STATE_DELIVERING: DeliveryState
DELIVERY_STATE_REFUSED: DeliveryState

class Score(_message.Message):
    __slots__ = ("user_id", "score_given", "score_maximum", "activity_progress", "grading_progress", "score_time", "comment", "scoring_user_id", "submission_start_time", "submission_time", "canvas_submission", "extensions_json")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_GIVEN_FIELD_NUMBER: _ClassVar[int]
    SCORE_MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    GRADING_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SCORE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    SCORING_USER_ID_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_START_TIME_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_TIME_FIELD_NUMBER: _ClassVar[int]
    CANVAS_SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_JSON_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    score_given: float
    score_maximum: float
    activity_progress: ActivityProgress
    grading_progress: GradingProgress
    score_time: _timestamp_pb2.Timestamp
    comment: str
    scoring_user_id: str
    submission_start_time: _timestamp_pb2.Timestamp
    submission_time: _timestamp_pb2.Timestamp
    canvas_submission: CanvasSubmission
    extensions_json: str
    def __init__(self, user_id: _Optional[str] = ..., score_given: _Optional[float] = ..., score_maximum: _Optional[float] = ..., activity_progress: _Optional[_Union[ActivityProgress, str]] = ..., grading_progress: _Optional[_Union[GradingProgress, str]] = ..., score_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., comment: _Optional[str] = ..., scoring_user_id: _Optional[str] = ..., submission_start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., submission_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., canvas_submission: _Optional[_Union[CanvasSubmission, _Mapping]] = ..., extensions_json: _Optional[str] = ...) -> None: ...

class CanvasSubmission(_message.Message):
    __slots__ = ("new_submission", "submission_type", "submission_data", "submission_time", "files", "prioritize_non_tool_grade", "preserve_score")
    NEW_SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_TYPE_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_DATA_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_TIME_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    PRIORITIZE_NON_TOOL_GRADE_FIELD_NUMBER: _ClassVar[int]
    PRESERVE_SCORE_FIELD_NUMBER: _ClassVar[int]
    new_submission: bool
    submission_type: str
    submission_data: str
    submission_time: _timestamp_pb2.Timestamp
    files: _containers.RepeatedCompositeFieldContainer[CanvasFile]
    prioritize_non_tool_grade: bool
    preserve_score: bool
    def __init__(self, new_submission: bool = ..., submission_type: _Optional[str] = ..., submission_data: _Optional[str] = ..., submission_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., files: _Optional[_Iterable[_Union[CanvasFile, _Mapping]]] = ..., prioritize_non_tool_grade: bool = ..., preserve_score: bool = ...) -> None: ...

class CanvasFile(_message.Message):
    __slots__ = ("uri", "title", "media_type")
    URI_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    uri: str
    title: str
    media_type: str
    def __init__(self, uri: _Optional[str] = ..., title: _Optional[str] = ..., media_type: _Optional[str] = ...) -> None: ...

class PostScoreRequest(_message.Message):
    __slots__ = ("endpoint", "score", "request_id", "max_wait")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_WAIT_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.GradeEndpoint
    score: Score
    request_id: str
    max_wait: _duration_pb2.Duration
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.GradeEndpoint, _Mapping]] = ..., score: _Optional[_Union[Score, _Mapping]] = ..., request_id: _Optional[str] = ..., max_wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ScoreDelivery(_message.Message):
    __slots__ = ("state", "sent_time", "result_uri", "delivery_id", "registration", "deployment_id", "line_item_uri", "user_id", "request_id", "score_time", "create_time", "update_time", "attempts", "next_attempt_time", "reason", "platform_status", "platform_error")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SENT_TIME_FIELD_NUMBER: _ClassVar[int]
    RESULT_URI_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEM_URI_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_STATUS_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_ERROR_FIELD_NUMBER: _ClassVar[int]
    state: DeliveryState
    sent_time: _timestamp_pb2.Timestamp
    result_uri: str
    delivery_id: str
    registration: str
    deployment_id: str
    line_item_uri: str
    user_id: str
    request_id: str
    score_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    attempts: int
    next_attempt_time: _timestamp_pb2.Timestamp
    reason: str
    platform_status: int
    platform_error: str
    def __init__(self, state: _Optional[_Union[DeliveryState, str]] = ..., sent_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., result_uri: _Optional[str] = ..., delivery_id: _Optional[str] = ..., registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., line_item_uri: _Optional[str] = ..., user_id: _Optional[str] = ..., request_id: _Optional[str] = ..., score_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., attempts: _Optional[int] = ..., next_attempt_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., platform_status: _Optional[int] = ..., platform_error: _Optional[str] = ...) -> None: ...

class PostScoreResponse(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: ScoreDelivery
    def __init__(self, delivery: _Optional[_Union[ScoreDelivery, _Mapping]] = ...) -> None: ...

class ListScoreDeliveriesRequest(_message.Message):
    __slots__ = ("registration", "deployment_id", "line_item_uri", "user_id", "states", "page_size", "cursor")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEM_URI_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    registration: str
    deployment_id: str
    line_item_uri: str
    user_id: str
    states: _containers.RepeatedScalarFieldContainer[DeliveryState]
    page_size: int
    cursor: str
    def __init__(self, registration: _Optional[str] = ..., deployment_id: _Optional[str] = ..., line_item_uri: _Optional[str] = ..., user_id: _Optional[str] = ..., states: _Optional[_Iterable[_Union[DeliveryState, str]]] = ..., page_size: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListScoreDeliveriesResponse(_message.Message):
    __slots__ = ("deliveries", "cursor", "complete")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[ScoreDelivery]
    cursor: str
    complete: bool
    def __init__(self, deliveries: _Optional[_Iterable[_Union[ScoreDelivery, _Mapping]]] = ..., cursor: _Optional[str] = ..., complete: bool = ...) -> None: ...

class WatchScoreDeliveriesRequest(_message.Message):
    __slots__ = ("registration", "cursor")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    registration: str
    cursor: str
    def __init__(self, registration: _Optional[str] = ..., cursor: _Optional[str] = ...) -> None: ...

class WatchScoreDeliveriesResponse(_message.Message):
    __slots__ = ("delivery", "cursor")
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    delivery: ScoreDelivery
    cursor: str
    def __init__(self, delivery: _Optional[_Union[ScoreDelivery, _Mapping]] = ..., cursor: _Optional[str] = ...) -> None: ...

class RetryScoreDeliveryRequest(_message.Message):
    __slots__ = ("registration", "delivery_id")
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    registration: str
    delivery_id: str
    def __init__(self, registration: _Optional[str] = ..., delivery_id: _Optional[str] = ...) -> None: ...

class RetryScoreDeliveryResponse(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: ScoreDelivery
    def __init__(self, delivery: _Optional[_Union[ScoreDelivery, _Mapping]] = ...) -> None: ...

class ListLineItemsRequest(_message.Message):
    __slots__ = ("endpoint", "resource_link_id", "resource_id", "tag", "page_size_hint")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_LINK_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_HINT_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.GradeEndpoint
    resource_link_id: str
    resource_id: str
    tag: str
    page_size_hint: int
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.GradeEndpoint, _Mapping]] = ..., resource_link_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., tag: _Optional[str] = ..., page_size_hint: _Optional[int] = ...) -> None: ...

class ListLineItemsResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_line_item_pb2.LineItem]
    def __init__(self, items: _Optional[_Iterable[_Union[_line_item_pb2.LineItem, _Mapping]]] = ...) -> None: ...

class GetLineItemRequest(_message.Message):
    __slots__ = ("endpoint", "line_item_uri")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEM_URI_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.GradeEndpoint
    line_item_uri: str
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.GradeEndpoint, _Mapping]] = ..., line_item_uri: _Optional[str] = ...) -> None: ...

class GetLineItemResponse(_message.Message):
    __slots__ = ("item",)
    ITEM_FIELD_NUMBER: _ClassVar[int]
    item: _line_item_pb2.LineItem
    def __init__(self, item: _Optional[_Union[_line_item_pb2.LineItem, _Mapping]] = ...) -> None: ...

class EnsureLineItemRequest(_message.Message):
    __slots__ = ("endpoint", "wanted")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.GradeEndpoint
    wanted: _line_item_pb2.LineItem
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.GradeEndpoint, _Mapping]] = ..., wanted: _Optional[_Union[_line_item_pb2.LineItem, _Mapping]] = ...) -> None: ...

class EnsureLineItemResponse(_message.Message):
    __slots__ = ("item", "created", "differing_fields")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELDS_FIELD_NUMBER: _ClassVar[int]
    item: _line_item_pb2.LineItem
    created: bool
    differing_fields: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item: _Optional[_Union[_line_item_pb2.LineItem, _Mapping]] = ..., created: bool = ..., differing_fields: _Optional[_Iterable[str]] = ...) -> None: ...

class UpdateLineItemRequest(_message.Message):
    __slots__ = ("endpoint", "item", "update_mask")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.GradeEndpoint
    item: _line_item_pb2.LineItem
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.GradeEndpoint, _Mapping]] = ..., item: _Optional[_Union[_line_item_pb2.LineItem, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateLineItemResponse(_message.Message):
    __slots__ = ("item",)
    ITEM_FIELD_NUMBER: _ClassVar[int]
    item: _line_item_pb2.LineItem
    def __init__(self, item: _Optional[_Union[_line_item_pb2.LineItem, _Mapping]] = ...) -> None: ...

class DeleteLineItemRequest(_message.Message):
    __slots__ = ("endpoint", "line_item_uri")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEM_URI_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.GradeEndpoint
    line_item_uri: str
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.GradeEndpoint, _Mapping]] = ..., line_item_uri: _Optional[str] = ...) -> None: ...

class DeleteLineItemResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListResultsRequest(_message.Message):
    __slots__ = ("endpoint", "line_item_uri", "user_id", "page_size_hint")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    LINE_ITEM_URI_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_HINT_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.GradeEndpoint
    line_item_uri: str
    user_id: str
    page_size_hint: int
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.GradeEndpoint, _Mapping]] = ..., line_item_uri: _Optional[str] = ..., user_id: _Optional[str] = ..., page_size_hint: _Optional[int] = ...) -> None: ...

class ListResultsResponse(_message.Message):
    __slots__ = ("batch", "end")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    batch: ResultBatch
    end: ResultsEnd
    def __init__(self, batch: _Optional[_Union[ResultBatch, _Mapping]] = ..., end: _Optional[_Union[ResultsEnd, _Mapping]] = ...) -> None: ...

class ResultBatch(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_line_item_pb2.Result]
    def __init__(self, results: _Optional[_Iterable[_Union[_line_item_pb2.Result, _Mapping]]] = ...) -> None: ...

class ResultsEnd(_message.Message):
    __slots__ = ("result_count",)
    RESULT_COUNT_FIELD_NUMBER: _ClassVar[int]
    result_count: int
    def __init__(self, result_count: _Optional[int] = ...) -> None: ...
