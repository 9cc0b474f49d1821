# SPDX-License-Identifier: Apache-2.0
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ltisidecar.v1 import endpoint_pb2 as _endpoint_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventDeliveryState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_DELIVERY_STATE_UNSPECIFIED: _ClassVar[EventDeliveryState]
    EVENT_DELIVERY_STATE_DELIVERED: _ClassVar[EventDeliveryState]
    EVENT_DELIVERY_STATE_QUEUED: _ClassVar[EventDeliveryState]
EVENT_DELIVERY_STATE_UNSPECIFIED: EventDeliveryState
EVENT_DELIVERY_STATE_DELIVERED: EventDeliveryState
EVENT_DELIVERY_STATE_QUEUED: EventDeliveryState

class SendEventsRequest(_message.Message):
    __slots__ = ("endpoint", "envelope_json", "durable")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_JSON_FIELD_NUMBER: _ClassVar[int]
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    endpoint: _endpoint_pb2.EventEndpoint
    envelope_json: str
    durable: bool
    def __init__(self, endpoint: _Optional[_Union[_endpoint_pb2.EventEndpoint, _Mapping]] = ..., envelope_json: _Optional[str] = ..., durable: bool = ...) -> None: ...

class SendEventsResponse(_message.Message):
    __slots__ = ("state", "deliver_time")
    STATE_FIELD_NUMBER: _ClassVar[int]
    DELIVER_TIME_FIELD_NUMBER: _ClassVar[int]
    state: EventDeliveryState
    deliver_time: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[_Union[EventDeliveryState, str]] = ..., deliver_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
