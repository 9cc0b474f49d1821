# SPDX-License-Identifier: Apache-2.0
"""Between the messages of the API and the types of the client: what single message types carry."""

from __future__ import annotations

from datetime import datetime, timezone

from google.protobuf.timestamp_pb2 import Timestamp

from ltisidecar._launch import Context, User
from ltisidecar._message import (
    Activity,
    AssessmentControl,
    Asset,
    AssetReportService,
    AssetService,
    DeepLinkingSettings,
    EulaService,
    ForUser,
    Migration,
    NoticeService,
    Proctoring,
    Submission,
    VerifiedUser,
)
from ltisidecar._notice import Notice, NoticeRefusal
from ltisidecar._reason import Reason
from ltisidecar.v1 import launch_message_pb2, launch_pb2, launch_service_pb2, notice_pb2


def optional_time(set_: bool, message: Timestamp) -> datetime | None:
    """Returns the time in UTC, or None where it is unset."""
    return message.ToDatetime(tzinfo=timezone.utc) if set_ else None


def user(message: launch_pb2.User) -> User:
    return User(
        key=message.key,
        id=message.id,
        name=message.name,
        given_name=message.given_name,
        family_name=message.family_name,
        email=message.email,
        picture=message.picture,
        locale=message.locale,
    )


def context(message: launch_pb2.Context) -> Context:
    return Context(key=message.key, id=message.id, label=message.label, title=message.title, types=tuple(message.types))


def deep_linking(message: launch_message_pb2.DeepLinkingSettings) -> DeepLinkingSettings:
    return DeepLinkingSettings(
        return_uri=message.return_uri,
        accept_types=tuple(message.accept_types),
        accept_presentation_document_targets=tuple(message.accept_presentation_document_targets),
        accept_media_types=message.accept_media_types,
        accept_multiple=message.accept_multiple if message.HasField("accept_multiple") else None,
        accept_line_item=message.accept_line_item if message.HasField("accept_line_item") else None,
        auto_create=message.auto_create,
        title=message.title,
        text=message.text,
        deep_linking_token=message.deep_linking_token,
    )


def for_user(message: launch_message_pb2.ForUser) -> ForUser:
    return ForUser(
        key=message.key,
        id=message.id,
        person_sourcedid=message.person_sourcedid,
        name=message.name,
        given_name=message.given_name,
        family_name=message.family_name,
        email=message.email,
        roles=tuple(message.roles),
    )


def proctoring(message: launch_message_pb2.Proctoring) -> Proctoring:
    return Proctoring(
        proctoring_token=message.proctoring_token,
        attempt_number=message.attempt_number,
        start_assessment_uri=message.start_assessment_uri,
        settings_data=message.settings_data,
        control=_control(message.control) if message.HasField("control") else None,
        error_message=message.error_message,
        error_log=message.error_log,
    )


def _control(message: launch_message_pb2.AssessmentControl) -> AssessmentControl:
    return AssessmentControl(
        registration=message.registration,
        deployment_id=message.deployment_id,
        control_uri=message.control_uri,
        actions=tuple(message.actions),
    )


def activity(message: launch_message_pb2.Activity) -> Activity:
    return Activity(id=message.id, title=message.title)


def submission(message: launch_message_pb2.Submission) -> Submission:
    return Submission(id=message.id)


def asset_service(message: launch_message_pb2.AssetService) -> AssetService:
    return AssetService(
        registration=message.registration,
        deployment_id=message.deployment_id,
        scopes=tuple(message.scopes),
        assets=tuple(_asset(asset) for asset in message.assets),
    )


def _asset(message: launch_message_pb2.Asset) -> Asset:
    return Asset(
        id=message.id,
        uri=message.uri,
        sha256_checksum=message.sha256_checksum,
        asset_time=optional_time(message.HasField("asset_time"), message.asset_time),
        size=message.size,
        content_type=message.content_type,
        title=message.title,
        file_name=message.file_name,
    )


def asset_report_service(message: launch_message_pb2.AssetReportService) -> AssetReportService:
    return AssetReportService(
        registration=message.registration,
        deployment_id=message.deployment_id,
        report_uri=message.report_uri,
        scopes=tuple(message.scopes),
    )


def eula_service(message: launch_message_pb2.EulaService) -> EulaService:
    return EulaService(
        registration=message.registration,
        deployment_id=message.deployment_id,
        eula_uri=message.eula_uri,
        scopes=tuple(message.scopes),
    )


def notice_service(message: launch_message_pb2.NoticeService) -> NoticeService:
    return NoticeService(
        registration=message.registration,
        deployment_id=message.deployment_id,
        notice_handlers_uri=message.notice_handlers_uri,
        service_versions=tuple(message.service_versions),
        scopes=tuple(message.scopes),
        notice_types=tuple(message.notice_types),
    )


def migration(message: launch_message_pb2.Migration) -> Migration:
    return Migration(
        verified=message.verified,
        consumer_key=message.consumer_key,
        user_id=message.user_id,
        context_id=message.context_id,
        tool_consumer_instance_guid=message.tool_consumer_instance_guid,
        resource_link_id=message.resource_link_id,
    )


def verified_user_message(user: VerifiedUser) -> launch_service_pb2.VerifiedUser:
    return launch_service_pb2.VerifiedUser(
        given_name=user.given_name,
        middle_name=user.middle_name,
        family_name=user.family_name,
        full_name=user.full_name,
        picture=user.picture,
    )


def notice(message: notice_pb2.Notice) -> Notice:
    return Notice(
        id=message.id,
        type=message.type,
        notice_time=optional_time(message.HasField("notice_time"), message.notice_time),
        duplicate=message.duplicate,
        registration=message.registration,
        issuer=message.issuer,
        client_id=message.client_id,
        deployment_id=message.deployment_id,
        user=user(message.user) if message.HasField("user") else None,
        context=context(message.context) if message.HasField("context") else None,
        origin_context_ids=tuple(message.origin_context_ids),
        custom=dict(message.custom),
        for_user=for_user(message.for_user) if message.HasField("for_user") else None,
        activity=activity(message.activity) if message.HasField("activity") else None,
        submission=submission(message.submission) if message.HasField("submission") else None,
        asset_service=asset_service(message.asset_service) if message.HasField("asset_service") else None,
        asset_report_service=(
            asset_report_service(message.asset_report_service) if message.HasField("asset_report_service") else None
        ),
        claims_json=message.claims_json,
    )


def notice_refusal(message: notice_pb2.NoticeRefusal) -> NoticeRefusal:
    return NoticeRefusal(reason=Reason(message.reason), message=message.message, metadata=dict(message.metadata))
