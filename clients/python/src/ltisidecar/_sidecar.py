# SPDX-License-Identifier: Apache-2.0
"""The client."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import TypeVar

import grpc

from ltisidecar import _convert, _convert_message
from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._channel import Connection, resolve_address
from ltisidecar._endpoint import GradeEndpoint, MembershipEndpoint
from ltisidecar._error import SidecarError, from_rpc_error
from ltisidecar._grade import Score, ScoreDelivery
from ltisidecar._launch import AcceptedLaunch, AuthRequest, CheckedLaunch, MessageType
from ltisidecar._message import StartAssessment, VerifiedUser
from ltisidecar._notice import Notice, NoticeRefusal
from ltisidecar._roster import Roster
from ltisidecar._service import ServiceToken, ToolKeySet
from ltisidecar.v1 import (
    grade_service_pb2,
    key_service_pb2,
    launch_service_pb2,
    roster_service_pb2,
    token_service_pb2,
)

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Sidecar:
    """A client of the sidecar. One for the whole program: threads share it, and after a fork each process has a
    connection of its own. It connects with the first call, so that it can be made before the sidecar runs.

    Every call raises a SidecarError where it fails. No call is retried.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Takes the address, `unix:///path` or `host:port`. Default: LTISIDECAR_ADDRESS, else
        `unix:///run/ltisidecar/sidecar.sock`.

        timeout is in seconds and for every call; None gives each call the default of its method. credentials are for
        mutual TLS, which an address off this machine needs; without them it is a ValueError.
        """
        if timeout is not None and timeout <= 0:
            raise ValueError("timeout is above 0 seconds")
        self._address = resolve_address(address, credentials)
        self._credentials = credentials
        self._timeout = timeout
        self._closed = False
        # By process id. Those of a parent process stay referenced, unused: destroying them is not safe after a fork.
        self._connections: dict[int, Connection] = {}

    def __repr__(self) -> str:
        return f"Sidecar({self._address!r})"

    def __enter__(self) -> Sidecar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes this process's connection. Calls after it are a RuntimeError."""
        self._closed = True
        connection = self._connections.pop(os.getpid(), None)
        if connection is not None:
            connection.channel.close()

    def build_auth_request(
        self,
        browser: BrowserRequest,
        *,
        launch_uri: str = "",
        registration: str = "",
        timeout: float | None = None,
    ) -> AuthRequest:
        """Answers the platform's login initiation. Default timeout 5 s. Safe to retry.

        launch_uri is where the platform is to answer, one of the registration's; empty: its first one. registration
        is for a login URL that belongs to one registration; empty: found by issuer and client id.
        """
        response = self._call(
            self._connection().launches.BuildAuthRequest,
            launch_service_pb2.BuildAuthRequestRequest(
                browser=_convert.browser_request_message(browser), launch_uri=launch_uri, registration=registration
            ),
            timeout,
            5,
        )
        return AuthRequest(
            reply=_convert.browser_reply(response.reply),
            authorization_uri=response.authorization_uri,
            state=response.state,
            expire_time=_convert_message.optional_time(response.HasField("expire_time"), response.expire_time),
            registration=response.registration,
        )

    def validate_launch(
        self,
        browser: BrowserRequest,
        *,
        launch_uri: str = "",
        accept_message_types: Iterable[MessageType] = (),
        timeout: float | None = None,
    ) -> AcceptedLaunch | BrowserReply:
        """Validates a launch. Default timeout 10 s. A launch is accepted once: never retry.

        The answer is the accepted launch, or a BrowserReply: a step that the browser has to take first, to send as it
        is. A launch that is refused is never an answer: it raises LaunchRejected.

        launch_uri is what build_auth_request was given. accept_message_types is what this route of the tool can
        serve; empty: resource links.
        """
        response = self._call(
            self._connection().launches.ValidateLaunch,
            launch_service_pb2.ValidateLaunchRequest(
                browser=_convert.browser_request_message(browser),
                launch_uri=launch_uri,
                accept_message_types=[_convert.message_type_name(kind) for kind in accept_message_types],
            ),
            timeout,
            10,
        )
        if response.HasField("browser_step"):
            return _convert.browser_reply(response.browser_step)
        if not response.HasField("launch"):
            raise SidecarError("the sidecar answered with an outcome that this version of the client does not know")
        headers = tuple((header.name, header.value) for header in response.headers)
        return AcceptedLaunch(launch=_convert.launch(response.launch), headers=headers)

    def check_launch_token(self, launch_token: str, *, timeout: float | None = None) -> CheckedLaunch:
        """Opens a launch token and renews it. Default timeout 5 s. Safe to retry.

        A token that was not issued to this tool, was changed or has expired raises LaunchRejected.
        """
        response = self._call(
            self._connection().launches.CheckLaunchToken,
            launch_service_pb2.CheckLaunchTokenRequest(launch_token=launch_token),
            timeout,
            5,
        )
        return CheckedLaunch(
            launch=_convert.launch(response.launch),
            expire_time=_convert_message.optional_time(response.HasField("expire_time"), response.expire_time),
        )

    def build_start_assessment(
        self,
        proctoring_token: str,
        *,
        end_assessment_return: bool = False,
        verified_user: VerifiedUser | None = None,
        csp_nonce: str = "",
        timeout: float | None = None,
    ) -> StartAssessment:
        """Signs the message that lets a proctored user begin. Default timeout 5 s. Safe to retry.

        proctoring_token is that of the launch. end_assessment_return asks the platform to launch the tool when the
        assessment is over. verified_user is what the tool found out about who sits there. csp_nonce is that of the
        tool's own Content-Security-Policy.
        """
        response = self._call(
            self._connection().launches.BuildStartAssessment,
            launch_service_pb2.BuildStartAssessmentRequest(
                proctoring_token=proctoring_token,
                end_assessment_return=end_assessment_return,
                verified_user=_convert_message.verified_user_message(verified_user) if verified_user else None,
                csp_nonce=csp_nonce,
            ),
            timeout,
            5,
        )
        return StartAssessment(
            reply=_convert.browser_reply(response.reply),
            start_assessment_uri=response.start_assessment_uri,
            jwt=response.jwt,
        )

    def validate_notices(self, body: bytes, *, timeout: float | None = None) -> tuple[Notice | NoticeRefusal, ...]:
        """Validates the notices that a platform posted to the tool's notice handler, each alone. Default timeout 10 s.

        body is that of the request, as it came. The answer has a Notice or a NoticeRefusal for each, in order. A
        repeat of the call is safe, but what was accepted before then counts as a duplicate.
        """
        response = self._call(
            self._connection().launches.ValidateNotices,
            launch_service_pb2.ValidateNoticesRequest(body=body),
            timeout,
            10,
        )
        results: list[Notice | NoticeRefusal] = []
        for result in response.results:
            if result.HasField("notice"):
                results.append(_convert_message.notice(result.notice))
            elif result.HasField("refusal"):
                results.append(_convert_message.notice_refusal(result.refusal))
            else:
                raise SidecarError("the sidecar answered with a result that this version of the client does not know")
        return tuple(results)

    def get_service_token(
        self, registration: str, deployment_id: str, scopes: Iterable[str], *, timeout: float | None = None
    ) -> ServiceToken:
        """Returns a token with at least these scopes, for calls that the sidecar does not make. Default timeout 30 s.
        Safe to retry."""
        response = self._call(
            self._connection().tokens.GetServiceToken,
            token_service_pb2.GetServiceTokenRequest(
                registration=registration, deployment_id=deployment_id, scopes=list(scopes)
            ),
            timeout,
            30,
        )
        return ServiceToken(
            access_token=response.access_token,
            expire_time=_convert_message.optional_time(response.HasField("expire_time"), response.expire_time),
            scopes=tuple(response.scopes),
            allowed_origins=tuple(response.allowed_origins),
        )

    def post_score(self, endpoint: GradeEndpoint, score: Score, *, timeout: float | None = None) -> ScoreDelivery:
        """Sends a score to the line item of a launch's endpoint. Default timeout 30 s.

        Where the platform refuses it, this raises PlatformError with the platform's words. After Unavailable, post
        the same Score object again: a repeat is harmless.
        """
        response = self._call(
            self._connection().grades.PostScore,
            grade_service_pb2.PostScoreRequest(
                endpoint=_convert.grade_endpoint_message(endpoint), score=_convert.score_message(score)
            ),
            timeout,
            30,
        )
        return _convert.score_delivery(response.delivery)

    def list_members(
        self,
        endpoint: MembershipEndpoint,
        *,
        role: str = "",
        resource_link_id: str = "",
        page_size_hint: int = 0,
        differences_uri: str = "",
        idle_timeout: float | None = None,
    ) -> Roster:
        """Reads the whole roster of a launch's course, or raises. Safe to retry from the start.

        role keeps one context role, as a URI or a short name such as `Learner`. resource_link_id keeps the users who
        can open this link. differences_uri, from an earlier roster, asks for what has changed since.

        The members come as they arrive: idle_timeout, default 60 s, limits each wait and not the whole.
        """
        stream = self._connection().rosters.ListMembers(
            roster_service_pb2.ListMembersRequest(
                endpoint=_convert.membership_endpoint_message(endpoint),
                role=role,
                resource_link_id=resource_link_id,
                page_size_hint=page_size_hint,
                differences_uri=differences_uri,
            )
        )
        return Roster(stream, idle_timeout or self._timeout or 60)

    def get_tool_key_set(self, *, timeout: float | None = None) -> ToolKeySet:
        """Returns the tool's public keys, for its JWKS route. Default timeout 5 s. Safe to retry."""
        response = self._call(self._connection().keys.GetToolKeySet, key_service_pb2.GetToolKeySetRequest(), timeout, 5)
        return ToolKeySet(
            jwks=response.jwks,
            content_type=response.content_type,
            cache_lifetime=response.cache_lifetime.ToTimedelta(),
        )

    def _connection(self) -> Connection:
        if self._closed:
            raise RuntimeError("this Sidecar is closed")
        process = os.getpid()
        connection = self._connections.get(process)
        if connection is None:
            fresh = Connection(self._address, self._credentials)
            # Without a lock, which a fork could leave held: of two threads, one finds the other's connection.
            connection = self._connections.setdefault(process, fresh)
            if connection is not fresh:
                fresh.channel.close()
        return connection

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None,
        default_timeout: float,
    ) -> _Response:
        try:
            return method(request, timeout=timeout or self._timeout or default_timeout)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
