# SPDX-License-Identifier: Apache-2.0
"""Between the messages of the API and the types of the client."""

from __future__ import annotations

from enum import Enum
from typing import Protocol, TypeVar

from ltisidecar import _convert_message
from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._convert_message import optional_time
from ltisidecar._endpoint import EventEndpoint, GradeEndpoint, GroupEndpoint, MembershipEndpoint
from ltisidecar._launch import (
    BrowserBinding,
    Launch,
    LaunchPresentation,
    Lis,
    MessageType,
    ResourceLink,
    RoleSummary,
    ToolPlatform,
)
from ltisidecar._member import Member, MemberStatus
from ltisidecar.v1 import browser_pb2, endpoint_pb2, launch_pb2, roster_service_pb2

_Member = TypeVar("_Member", bound=Enum)


class _Named(Protocol):
    def Name(self, number: int) -> str: ...


def named(kind: type[_Member], enum: _Named, prefix: str, number: int, unknown: _Member) -> _Member:
    """Returns the member of kind for a number on the wire, or unknown where kind has none."""
    try:
        return kind(enum.Name(number).removeprefix(prefix))
    except ValueError:
        return unknown


def _offered(endpoint: object, attribute: str) -> None:
    if endpoint is None:
        raise TypeError(f"no endpoint: the platform did not offer the service (launch.{attribute} is None)")


def browser_request_message(request: BrowserRequest) -> browser_pb2.BrowserRequest:
    return browser_pb2.BrowserRequest(
        parameters=[browser_pb2.Parameter(name=name, value=value) for name, value in request.parameters],
        cookie_header=request.cookie_header,
        method=request.method,
        origin=request.origin,
        sec_fetch_site=request.sec_fetch_site,
        sec_fetch_dest=request.sec_fetch_dest,
        sec_fetch_storage_access=request.sec_fetch_storage_access,
        csp_nonce=request.csp_nonce,
    )


def browser_reply(message: browser_pb2.BrowserReply) -> BrowserReply:
    headers = tuple((header.name, header.value) for header in message.headers)
    return BrowserReply(status=message.status, headers=headers, body=message.body)


def message_type_name(kind: MessageType) -> str:
    return f"MESSAGE_TYPE_{kind.name}"


def launch(message: launch_pb2.Launch) -> Launch:
    summary = message.role_summary
    return Launch(
        launch_id=message.launch_id,
        launch_token=message.launch_token,
        registration=message.registration,
        issuer=message.issuer,
        client_id=message.client_id,
        deployment_id=message.deployment_id,
        target_link_uri=message.target_link_uri,
        message_type=named(
            MessageType, launch_pb2.MessageType, "MESSAGE_TYPE_", message.message_type, MessageType.UNSPECIFIED
        ),
        message_type_name=message.message_type_name,
        user=_convert_message.user(message.user) if message.HasField("user") else None,
        roles=tuple(message.roles),
        role_summary=RoleSummary(
            learner=summary.learner,
            instructor=summary.instructor,
            content_developer=summary.content_developer,
            mentor=summary.mentor,
            administrator=summary.administrator,
            teaching_assistant=summary.teaching_assistant,
            administrator_elsewhere=summary.administrator_elsewhere,
            test_user=summary.test_user,
        ),
        context=_convert_message.context(message.context) if message.HasField("context") else None,
        resource_link=_resource_link(message.resource_link) if message.HasField("resource_link") else None,
        custom=dict(message.custom),
        launch_presentation=(
            _launch_presentation(message.launch_presentation) if message.HasField("launch_presentation") else None
        ),
        tool_platform=_tool_platform(message.tool_platform) if message.HasField("tool_platform") else None,
        lis=_lis(message.lis) if message.HasField("lis") else None,
        grades=_grade_endpoint(message.grades) if message.HasField("grades") else None,
        memberships=_membership_endpoint(message.memberships) if message.HasField("memberships") else None,
        groups=_group_endpoint(message.groups) if message.HasField("groups") else None,
        events=_event_endpoint(message.events) if message.HasField("events") else None,
        browser_binding=named(
            BrowserBinding,
            launch_pb2.BrowserBinding,
            "BROWSER_BINDING_",
            message.browser_binding,
            BrowserBinding.UNSPECIFIED,
        ),
        claims_json=message.claims_json,
        launch_time=optional_time(message.HasField("launch_time"), message.launch_time),
        mentored_user_ids=tuple(message.mentored_user_ids),
        deep_linking=(
            _convert_message.deep_linking(message.deep_linking) if message.HasField("deep_linking") else None
        ),
        for_user=_convert_message.for_user(message.for_user) if message.HasField("for_user") else None,
        proctoring=_convert_message.proctoring(message.proctoring) if message.HasField("proctoring") else None,
        activity=_convert_message.activity(message.activity) if message.HasField("activity") else None,
        submission=_convert_message.submission(message.submission) if message.HasField("submission") else None,
        asset_id=message.asset_id,
        asset_report_type=message.asset_report_type,
        asset_service=(
            _convert_message.asset_service(message.asset_service) if message.HasField("asset_service") else None
        ),
        asset_report_service=(
            _convert_message.asset_report_service(message.asset_report_service)
            if message.HasField("asset_report_service")
            else None
        ),
        eula_service=_convert_message.eula_service(message.eula_service) if message.HasField("eula_service") else None,
        notice_service=(
            _convert_message.notice_service(message.notice_service) if message.HasField("notice_service") else None
        ),
        migration=_convert_message.migration(message.migration) if message.HasField("migration") else None,
        lti11_legacy_user_id=message.lti11_legacy_user_id,
    )


def _resource_link(message: launch_pb2.ResourceLink) -> ResourceLink:
    return ResourceLink(key=message.key, id=message.id, title=message.title, description=message.description)


def _launch_presentation(message: launch_pb2.LaunchPresentation) -> LaunchPresentation:
    return LaunchPresentation(
        document_target=message.document_target,
        height=message.height,
        width=message.width,
        return_uri=message.return_uri,
        locale=message.locale,
    )


def _tool_platform(message: launch_pb2.ToolPlatform) -> ToolPlatform:
    return ToolPlatform(
        guid=message.guid,
        name=message.name,
        product_family_code=message.product_family_code,
        version=message.version,
        description=message.description,
        uri=message.uri,
        contact_email=message.contact_email,
    )


def _lis(message: launch_pb2.Lis) -> Lis:
    return Lis(
        person_sourcedid=message.person_sourcedid,
        course_offering_sourcedid=message.course_offering_sourcedid,
        course_section_sourcedid=message.course_section_sourcedid,
    )


def _grade_endpoint(message: endpoint_pb2.GradeEndpoint) -> GradeEndpoint:
    return GradeEndpoint(
        registration=message.registration,
        deployment_id=message.deployment_id,
        line_item_uri=message.line_item_uri,
        line_items_uri=message.line_items_uri,
        scopes=tuple(message.scopes),
        can_post_score=message.can_post_score,
    )


def grade_endpoint_message(endpoint: GradeEndpoint) -> endpoint_pb2.GradeEndpoint:
    _offered(endpoint, "grades")
    return endpoint_pb2.GradeEndpoint(
        registration=endpoint.registration,
        deployment_id=endpoint.deployment_id,
        line_item_uri=endpoint.line_item_uri,
        line_items_uri=endpoint.line_items_uri,
        scopes=endpoint.scopes,
        can_post_score=endpoint.can_post_score,
    )


def _membership_endpoint(message: endpoint_pb2.MembershipEndpoint) -> MembershipEndpoint:
    return MembershipEndpoint(
        registration=message.registration,
        deployment_id=message.deployment_id,
        context_memberships_uri=message.context_memberships_uri,
        service_versions=tuple(message.service_versions),
    )


def membership_endpoint_message(endpoint: MembershipEndpoint) -> endpoint_pb2.MembershipEndpoint:
    _offered(endpoint, "memberships")
    return endpoint_pb2.MembershipEndpoint(
        registration=endpoint.registration,
        deployment_id=endpoint.deployment_id,
        context_memberships_uri=endpoint.context_memberships_uri,
        service_versions=endpoint.service_versions,
    )


def group_endpoint_message(endpoint: GroupEndpoint) -> endpoint_pb2.GroupEndpoint:
    _offered(endpoint, "groups")
    return endpoint_pb2.GroupEndpoint(
        registration=endpoint.registration,
        deployment_id=endpoint.deployment_id,
        context_groups_uri=endpoint.context_groups_uri,
        context_group_sets_uri=endpoint.context_group_sets_uri,
        service_versions=endpoint.service_versions,
        scopes=endpoint.scopes,
    )


def _group_endpoint(message: endpoint_pb2.GroupEndpoint) -> GroupEndpoint:
    return GroupEndpoint(
        registration=message.registration,
        deployment_id=message.deployment_id,
        context_groups_uri=message.context_groups_uri,
        context_group_sets_uri=message.context_group_sets_uri,
        service_versions=tuple(message.service_versions),
        scopes=tuple(message.scopes),
    )


def event_endpoint_message(endpoint: EventEndpoint) -> endpoint_pb2.EventEndpoint:
    _offered(endpoint, "events")
    return endpoint_pb2.EventEndpoint(
        registration=endpoint.registration,
        deployment_id=endpoint.deployment_id,
        caliper_endpoint_uri=endpoint.caliper_endpoint_uri,
        federated_session_id=endpoint.federated_session_id,
        scopes=endpoint.scopes,
    )


def _event_endpoint(message: endpoint_pb2.EventEndpoint) -> EventEndpoint:
    return EventEndpoint(
        registration=message.registration,
        deployment_id=message.deployment_id,
        caliper_endpoint_uri=message.caliper_endpoint_uri,
        federated_session_id=message.federated_session_id,
        scopes=tuple(message.scopes),
    )


def member(message: roster_service_pb2.Member) -> Member:
    return Member(
        user_key=message.user_key,
        user_id=message.user_id,
        status=named(
            MemberStatus, roster_service_pb2.MemberStatus, "MEMBER_STATUS_", message.status, MemberStatus.UNSPECIFIED
        ),
        roles=tuple(message.roles),
        name=message.name,
        given_name=message.given_name,
        family_name=message.family_name,
        middle_name=message.middle_name,
        email=message.email,
        picture=message.picture,
        person_sourcedid=message.person_sourcedid,
        lti11_legacy_user_id=message.lti11_legacy_user_id,
        message_json=message.message_json,
        group_ids=tuple(message.group_ids),
    )
