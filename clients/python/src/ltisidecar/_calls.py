# SPDX-License-Identifier: Apache-2.0
"""The calls of the API: what each sends, what it makes of the answer, and its default timeout. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from ltisidecar import _convert, _convert_grade, _convert_message
from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._content import ContentItem, DeepLinkingResponse
from ltisidecar._endpoint import EventEndpoint, GradeEndpoint, GroupEndpoint, MembershipEndpoint
from ltisidecar._error import SidecarError
from ltisidecar._event import EventDelivery, EventDeliveryState
from ltisidecar._grade import DeliveryState, Score, ScoreDelivery, ScoreDeliveryPage
from ltisidecar._launch import AcceptedLaunch, AuthRequest, CheckedLaunch, MessageType
from ltisidecar._line_item import EnsuredLineItem, LineItem
from ltisidecar._message import StartAssessment, VerifiedUser
from ltisidecar._notice import Notice, NoticeRefusal
from ltisidecar._roster import CourseGroups, Group, GroupSet
from ltisidecar._service import ServiceToken, ToolKeySet
from ltisidecar._transport import Call, Method
from ltisidecar.v1 import event_service_pb2 as event_pb
from ltisidecar.v1 import grade_service_pb2 as grade_pb
from ltisidecar.v1 import key_service_pb2 as key_pb
from ltisidecar.v1 import launch_service_pb2 as launch_pb
from ltisidecar.v1 import roster_service_pb2 as roster_pb
from ltisidecar.v1 import token_service_pb2 as token_pb

_BUILD_AUTH_REQUEST = Method.of(launch_pb.DESCRIPTOR, "BuildAuthRequest")
_VALIDATE_LAUNCH = Method.of(launch_pb.DESCRIPTOR, "ValidateLaunch")
_CHECK_LAUNCH_TOKEN = Method.of(launch_pb.DESCRIPTOR, "CheckLaunchToken")
_BUILD_DEEP_LINKING_RESPONSE = Method.of(launch_pb.DESCRIPTOR, "BuildDeepLinkingResponse")
_BUILD_START_ASSESSMENT = Method.of(launch_pb.DESCRIPTOR, "BuildStartAssessment")
_VALIDATE_NOTICES = Method.of(launch_pb.DESCRIPTOR, "ValidateNotices")
_GET_SERVICE_TOKEN = Method.of(token_pb.DESCRIPTOR, "GetServiceToken")
_POST_SCORE = Method.of(grade_pb.DESCRIPTOR, "PostScore")
_LIST_SCORE_DELIVERIES = Method.of(grade_pb.DESCRIPTOR, "ListScoreDeliveries")
_RETRY_SCORE_DELIVERY = Method.of(grade_pb.DESCRIPTOR, "RetryScoreDelivery")
_LIST_LINE_ITEMS = Method.of(grade_pb.DESCRIPTOR, "ListLineItems")
_GET_LINE_ITEM = Method.of(grade_pb.DESCRIPTOR, "GetLineItem")
_ENSURE_LINE_ITEM = Method.of(grade_pb.DESCRIPTOR, "EnsureLineItem")
_UPDATE_LINE_ITEM = Method.of(grade_pb.DESCRIPTOR, "UpdateLineItem")
_DELETE_LINE_ITEM = Method.of(grade_pb.DESCRIPTOR, "DeleteLineItem")
_LIST_GROUPS = Method.of(roster_pb.DESCRIPTOR, "ListGroups")
_SEND_EVENTS = Method.of(event_pb.DESCRIPTOR, "SendEvents")
_GET_TOOL_KEY_SET = Method.of(key_pb.DESCRIPTOR, "GetToolKeySet")

WATCH_SCORE_DELIVERIES = Method.of(grade_pb.DESCRIPTOR, "WatchScoreDeliveries")
LIST_RESULTS = Method.of(grade_pb.DESCRIPTOR, "ListResults")
LIST_MEMBERS = Method.of(roster_pb.DESCRIPTOR, "ListMembers")


def build_auth_request(browser: BrowserRequest, launch_uri: str, registration: str) -> Call[AuthRequest]:
    def answer(response: launch_pb.BuildAuthRequestResponse) -> AuthRequest:
        return AuthRequest(
            reply=_convert.browser_reply(response.reply),
            authorization_uri=response.authorization_uri,
            state=response.state,
            expire_time=_convert_message.optional_time(response.HasField("expire_time"), response.expire_time),
            registration=response.registration,
        )

    request = launch_pb.BuildAuthRequestRequest(
        browser=_convert.browser_request_message(browser), launch_uri=launch_uri, registration=registration
    )
    return Call(_BUILD_AUTH_REQUEST, request, answer, 5)


def validate_launch(
    browser: BrowserRequest, launch_uri: str, accept_message_types: Iterable[MessageType]
) -> Call[AcceptedLaunch | BrowserReply]:
    def answer(response: launch_pb.ValidateLaunchResponse) -> AcceptedLaunch | BrowserReply:
        if response.HasField("browser_step"):
            return _convert.browser_reply(response.browser_step)
        if not response.HasField("launch"):
            raise SidecarError("the sidecar answered with an outcome that this version of the client does not know")
        headers = tuple((header.name, header.value) for header in response.headers)
        return AcceptedLaunch(launch=_convert.launch(response.launch), headers=headers)

    request = launch_pb.ValidateLaunchRequest(
        browser=_convert.browser_request_message(browser),
        launch_uri=launch_uri,
        accept_message_types=[_convert.message_type_name(kind) for kind in accept_message_types],
    )
    return Call(_VALIDATE_LAUNCH, request, answer, 10)


def check_launch_token(launch_token: str) -> Call[CheckedLaunch]:
    def answer(response: launch_pb.CheckLaunchTokenResponse) -> CheckedLaunch:
        return CheckedLaunch(
            launch=_convert.launch(response.launch),
            expire_time=_convert_message.optional_time(response.HasField("expire_time"), response.expire_time),
        )

    return Call(_CHECK_LAUNCH_TOKEN, launch_pb.CheckLaunchTokenRequest(launch_token=launch_token), answer, 5)


def build_deep_linking_response(
    deep_linking_token: str,
    items: Iterable[ContentItem],
    message: str,
    log: str,
    error_message: str,
    error_log: str,
    csp_nonce: str,
) -> Call[DeepLinkingResponse]:
    def answer(response: launch_pb.BuildDeepLinkingResponseResponse) -> DeepLinkingResponse:
        return DeepLinkingResponse(
            reply=_convert.browser_reply(response.reply), return_uri=response.return_uri, jwt=response.jwt
        )

    request = launch_pb.BuildDeepLinkingResponseRequest(
        deep_linking_token=deep_linking_token,
        items=[_convert_grade.content_item_message(item) for item in items],
        message=message,
        log=log,
        error_message=error_message,
        error_log=error_log,
        csp_nonce=csp_nonce,
    )
    return Call(_BUILD_DEEP_LINKING_RESPONSE, request, answer, 5)


def build_start_assessment(
    proctoring_token: str, end_assessment_return: bool, verified_user: VerifiedUser | None, csp_nonce: str
) -> Call[StartAssessment]:
    def answer(response: launch_pb.BuildStartAssessmentResponse) -> StartAssessment:
        return StartAssessment(
            reply=_convert.browser_reply(response.reply),
            start_assessment_uri=response.start_assessment_uri,
            jwt=response.jwt,
        )

    request = launch_pb.BuildStartAssessmentRequest(
        proctoring_token=proctoring_token,
        end_assessment_return=end_assessment_return,
        verified_user=_convert_message.verified_user_message(verified_user) if verified_user else None,
        csp_nonce=csp_nonce,
    )
    return Call(_BUILD_START_ASSESSMENT, request, answer, 5)


def validate_notices(body: bytes) -> Call[tuple[Notice | NoticeRefusal, ...]]:
    def answer(response: launch_pb.ValidateNoticesResponse) -> tuple[Notice | NoticeRefusal, ...]:
        results: list[Notice | NoticeRefusal] = []
        for result in response.results:
            if result.HasField("notice"):
                results.append(_convert_message.notice(result.notice))
            elif result.HasField("refusal"):
                results.append(_convert_message.notice_refusal(result.refusal))
            else:
                raise SidecarError("the sidecar answered with a result that this version of the client does not know")
        return tuple(results)

    return Call(_VALIDATE_NOTICES, launch_pb.ValidateNoticesRequest(body=body), answer, 10)


def get_service_token(registration: str, deployment_id: str, scopes: Iterable[str]) -> Call[ServiceToken]:
    def answer(response: token_pb.GetServiceTokenResponse) -> ServiceToken:
        return ServiceToken(
            access_token=response.access_token,
            expire_time=_convert_message.optional_time(response.HasField("expire_time"), response.expire_time),
            scopes=tuple(response.scopes),
            allowed_origins=tuple(response.allowed_origins),
        )

    request = token_pb.GetServiceTokenRequest(
        registration=registration, deployment_id=deployment_id, scopes=list(scopes)
    )
    return Call(_GET_SERVICE_TOKEN, request, answer, 30)


def get_tool_key_set() -> Call[ToolKeySet]:
    def answer(response: key_pb.GetToolKeySetResponse) -> ToolKeySet:
        return ToolKeySet(
            jwks=response.jwks,
            content_type=response.content_type,
            cache_lifetime=response.cache_lifetime.ToTimedelta(),
        )

    return Call(_GET_TOOL_KEY_SET, key_pb.GetToolKeySetRequest(), answer, 5)


def post_score(endpoint: GradeEndpoint, score: Score, request_id: str, max_wait: float | None) -> Call[ScoreDelivery]:
    def answer(response: grade_pb.PostScoreResponse) -> ScoreDelivery:
        return _convert_grade.score_delivery(response.delivery)

    request = grade_pb.PostScoreRequest(
        endpoint=_convert.grade_endpoint_message(endpoint),
        score=_convert_grade.score_message(score),
        request_id=request_id,
    )
    if max_wait is not None:
        wait = Duration()
        wait.FromNanoseconds(round(max_wait * 1e9))
        request.max_wait.CopyFrom(wait)
    return Call(_POST_SCORE, request, answer, 10 + (1 if max_wait is None else max_wait))


def list_score_deliveries(
    registration: str,
    deployment_id: str,
    line_item_uri: str,
    user_id: str,
    states: Iterable[DeliveryState],
    page_size: int,
    cursor: str,
) -> Call[ScoreDeliveryPage]:
    def answer(response: grade_pb.ListScoreDeliveriesResponse) -> ScoreDeliveryPage:
        deliveries = tuple(_convert_grade.score_delivery(delivery) for delivery in response.deliveries)
        return ScoreDeliveryPage(deliveries=deliveries, cursor=response.cursor, complete=response.complete)

    request = grade_pb.ListScoreDeliveriesRequest(
        registration=registration,
        deployment_id=deployment_id,
        line_item_uri=line_item_uri,
        user_id=user_id,
        states=[f"DELIVERY_STATE_{state.name}" for state in states],
        page_size=page_size,
        cursor=cursor,
    )
    return Call(_LIST_SCORE_DELIVERIES, request, answer, 10)


def watch_score_deliveries(registration: str, cursor: str) -> grade_pb.WatchScoreDeliveriesRequest:
    return grade_pb.WatchScoreDeliveriesRequest(registration=registration, cursor=cursor)


def retry_score_delivery(registration: str, delivery_id: str) -> Call[ScoreDelivery]:
    def answer(response: grade_pb.RetryScoreDeliveryResponse) -> ScoreDelivery:
        return _convert_grade.score_delivery(response.delivery)

    request = grade_pb.RetryScoreDeliveryRequest(registration=registration, delivery_id=delivery_id)
    return Call(_RETRY_SCORE_DELIVERY, request, answer, 10)


def list_line_items(
    endpoint: GradeEndpoint, resource_link_id: str, resource_id: str, tag: str, page_size_hint: int
) -> Call[tuple[LineItem, ...]]:
    def answer(response: grade_pb.ListLineItemsResponse) -> tuple[LineItem, ...]:
        return tuple(_convert_grade.line_item(item) for item in response.items)

    request = grade_pb.ListLineItemsRequest(
        endpoint=_convert.grade_endpoint_message(endpoint),
        resource_link_id=resource_link_id,
        resource_id=resource_id,
        tag=tag,
        page_size_hint=page_size_hint,
    )
    return Call(_LIST_LINE_ITEMS, request, answer, 60)


def get_line_item(endpoint: GradeEndpoint, line_item_uri: str) -> Call[LineItem]:
    def answer(response: grade_pb.GetLineItemResponse) -> LineItem:
        return _convert_grade.line_item(response.item)

    request = grade_pb.GetLineItemRequest(
        endpoint=_convert.grade_endpoint_message(endpoint), line_item_uri=line_item_uri
    )
    return Call(_GET_LINE_ITEM, request, answer, 30)


def ensure_line_item(endpoint: GradeEndpoint, wanted: LineItem) -> Call[EnsuredLineItem]:
    def answer(response: grade_pb.EnsureLineItemResponse) -> EnsuredLineItem:
        return EnsuredLineItem(
            item=_convert_grade.line_item(response.item),
            created=response.created,
            differing_fields=tuple(response.differing_fields),
        )

    request = grade_pb.EnsureLineItemRequest(
        endpoint=_convert.grade_endpoint_message(endpoint), wanted=_convert_grade.line_item_message(wanted)
    )
    return Call(_ENSURE_LINE_ITEM, request, answer, 60)


def update_line_item(endpoint: GradeEndpoint, item: LineItem, fields: Iterable[str]) -> Call[LineItem]:
    def answer(response: grade_pb.UpdateLineItemResponse) -> LineItem:
        return _convert_grade.line_item(response.item)

    paths = ["extensions_json" if field == "extensions" else field for field in fields]
    request = grade_pb.UpdateLineItemRequest(
        endpoint=_convert.grade_endpoint_message(endpoint),
        item=_convert_grade.line_item_message(item),
        update_mask=FieldMask(paths=paths) if paths else None,
    )
    return Call(_UPDATE_LINE_ITEM, request, answer, 30)


def delete_line_item(endpoint: GradeEndpoint, line_item_uri: str) -> Call[None]:
    request = grade_pb.DeleteLineItemRequest(
        endpoint=_convert.grade_endpoint_message(endpoint), line_item_uri=line_item_uri
    )
    return Call(_DELETE_LINE_ITEM, request, lambda _: None, 30)


def list_results(
    endpoint: GradeEndpoint, line_item_uri: str, user_id: str, page_size_hint: int
) -> grade_pb.ListResultsRequest:
    return grade_pb.ListResultsRequest(
        endpoint=_convert.grade_endpoint_message(endpoint),
        line_item_uri=line_item_uri,
        user_id=user_id,
        page_size_hint=page_size_hint,
    )


def list_members(
    endpoint: MembershipEndpoint,
    role: str,
    resource_link_id: str,
    page_size_hint: int,
    differences_uri: str,
    groups: bool,
) -> roster_pb.ListMembersRequest:
    return roster_pb.ListMembersRequest(
        endpoint=_convert.membership_endpoint_message(endpoint),
        role=role,
        resource_link_id=resource_link_id,
        page_size_hint=page_size_hint,
        differences_uri=differences_uri,
        groups=groups,
    )


def list_groups(endpoint: GroupEndpoint, user_id: str, page_size_hint: int) -> Call[CourseGroups]:
    def answer(response: roster_pb.ListGroupsResponse) -> CourseGroups:
        return CourseGroups(
            groups=tuple(
                Group(id=one.id, name=one.name, tag=one.tag, set_ids=tuple(one.set_ids), hidden=one.hidden)
                for one in response.groups
            ),
            sets=tuple(GroupSet(id=one.id, name=one.name, tag=one.tag, hidden=one.hidden) for one in response.sets),
        )

    request = roster_pb.ListGroupsRequest(
        endpoint=_convert.group_endpoint_message(endpoint), user_id=user_id, page_size_hint=page_size_hint
    )
    return Call(_LIST_GROUPS, request, answer, 60)


def send_events(endpoint: EventEndpoint, envelope_json: str, durable: bool) -> Call[EventDelivery]:
    def answer(response: event_pb.SendEventsResponse) -> EventDelivery:
        return EventDelivery(
            state=_convert.named(
                EventDeliveryState,
                event_pb.EventDeliveryState,
                "EVENT_DELIVERY_STATE_",
                response.state,
                EventDeliveryState.QUEUED,
            ),
            deliver_time=_convert_message.optional_time(response.HasField("deliver_time"), response.deliver_time),
        )

    request = event_pb.SendEventsRequest(
        endpoint=_convert.event_endpoint_message(endpoint), envelope_json=envelope_json, durable=durable
    )
    return Call(_SEND_EVENTS, request, answer, 30)
