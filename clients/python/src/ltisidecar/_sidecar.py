# SPDX-License-Identifier: Apache-2.0
"""The client for threads. generate.py makes that for event loops of it."""

from __future__ import annotations

from collections.abc import Iterable

from ltisidecar import _calls
from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._client import Client
from ltisidecar._content import ContentItem, DeepLinkingResponse
from ltisidecar._delivery import ResultParts, Results, ScoreDeliveryWatch, WatchParts
from ltisidecar._endpoint import EventEndpoint, GradeEndpoint, GroupEndpoint, MembershipEndpoint
from ltisidecar._event import EventDelivery
from ltisidecar._grade import DeliveryState, Score, ScoreDelivery, ScoreDeliveryPage
from ltisidecar._launch import AcceptedLaunch, AuthRequest, CheckedLaunch, MessageType
from ltisidecar._line_item import EnsuredLineItem, LineItem
from ltisidecar._message import StartAssessment, VerifiedUser
from ltisidecar._notice import Notice, NoticeRefusal
from ltisidecar._roster import CourseGroups, Roster, RosterParts
from ltisidecar._service import ServiceToken, ToolKeySet


class Sidecar(Client):
    """A client of the sidecar. One for the whole program: threads share it, and after a fork each process has a
    connection of its own. It connects with the first call, so that it can be made before the sidecar runs.

    Every call raises a SidecarError where it fails. No call is retried.
    """

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
        return self._call(_calls.build_auth_request(browser, launch_uri, registration), timeout)

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
        return self._call(_calls.validate_launch(browser, launch_uri, accept_message_types), timeout)

    def check_launch_token(self, launch_token: str, *, timeout: float | None = None) -> CheckedLaunch:
        """Opens a launch token and renews it. Default timeout 5 s. Safe to retry.

        A token that was not issued to this tool, was changed or has expired raises LaunchRejected.
        """
        return self._call(_calls.check_launch_token(launch_token), timeout)

    def build_deep_linking_response(
        self,
        deep_linking_token: str,
        items: Iterable[ContentItem] = (),
        *,
        message: str = "",
        log: str = "",
        error_message: str = "",
        error_log: str = "",
        csp_nonce: str = "",
        timeout: float | None = None,
    ) -> DeepLinkingResponse:
        """Signs the content that an author chose, and makes the page that takes it to the platform. Default timeout
        5 s. Safe to retry.

        deep_linking_token is that of the launch. No items: the author cancelled. What the platform does not accept is
        refused before anything is signed: InvalidRequest names the field. message and error_message are for the
        author, log and error_log for the platform's log. csp_nonce is that of the tool's own Content-Security-Policy.
        """
        call = _calls.build_deep_linking_response(
            deep_linking_token, items, message, log, error_message, error_log, csp_nonce
        )
        return self._call(call, timeout)

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
        call = _calls.build_start_assessment(proctoring_token, end_assessment_return, verified_user, csp_nonce)
        return self._call(call, timeout)

    def validate_notices(self, body: bytes, *, timeout: float | None = None) -> tuple[Notice | NoticeRefusal, ...]:
        """Validates the notices that a platform posted to the tool's notice handler, each alone. Default timeout 10 s.

        body is that of the request, as it came. The answer has a Notice or a NoticeRefusal for each, in order. A
        repeat of the call is safe, but what was accepted before then counts as a duplicate.
        """
        return self._call(_calls.validate_notices(body), timeout)

    def get_service_token(
        self, registration: str, deployment_id: str, scopes: Iterable[str], *, timeout: float | None = None
    ) -> ServiceToken:
        """Returns a token with at least these scopes, for calls that the sidecar does not make. Default timeout 30 s.
        Safe to retry."""
        return self._call(_calls.get_service_token(registration, deployment_id, scopes), timeout)

    def get_tool_key_set(self, *, timeout: float | None = None) -> ToolKeySet:
        """Returns the tool's public keys, for its JWKS route. Default timeout 5 s. Safe to retry."""
        return self._call(_calls.get_tool_key_set(), timeout)

    def post_score(
        self,
        endpoint: GradeEndpoint,
        score: Score,
        *,
        request_id: str = "",
        max_wait: float | None = None,
        timeout: float | None = None,
    ) -> ScoreDelivery:
        """Hands over a score for the line item of a launch's endpoint. It is durable before the answer, and delivered
        later where the platform cannot take it now: see the state of the answer. Default timeout: max_wait and 10 s.

        Where the platform refuses it, this raises PlatformError with the platform's words. After Unavailable, post the
        same Score object again, best with the same request_id: a repeat is harmless.

        request_id is of your own choice: within 7 days a repeat gets the same delivery. max_wait says for how many
        seconds to wait for the platform: None is 1, 0 not at all, 30 the most.
        """
        return self._call(_calls.post_score(endpoint, score, request_id, max_wait), timeout)

    def list_score_deliveries(
        self,
        registration: str,
        *,
        deployment_id: str = "",
        line_item_uri: str = "",
        user_id: str = "",
        states: Iterable[DeliveryState] = (),
        page_size: int = 0,
        cursor: str = "",
        timeout: float | None = None,
    ) -> ScoreDeliveryPage:
        """Returns a page of what became of scores, kept for 90 days. Default timeout 10 s. Safe to retry.

        All that is given must fit; nothing given fits all. cursor is that of the page before. page_size is at most
        200; 0 is 100.
        """
        call = _calls.list_score_deliveries(
            registration, deployment_id, line_item_uri, user_id, states, page_size, cursor
        )
        return self._call(call, timeout)

    def watch_score_deliveries(self, registration: str, *, cursor: str = "") -> ScoreDeliveryWatch:
        """Iterates over deliveries as they change, without an end and without a timeout.

        It begins after the cursor of a page or of an earlier watch; empty: from now on. After an error, watch again
        from the last cursor: no change is missed, though several changes of one delivery may come as one.
        """
        parts = WatchParts(cursor)
        request = _calls.watch_score_deliveries(registration, cursor)
        return ScoreDeliveryWatch(self._stream(_calls.WATCH_SCORE_DELIVERIES, request, None), parts)

    def retry_score_delivery(
        self, registration: str, delivery_id: str, *, timeout: float | None = None
    ) -> ScoreDelivery:
        """Queues a refused or unconfirmed delivery once more, as when the platform was corrected. Default timeout
        10 s. Safe to retry. A newer score of the same user and line item stays in front."""
        return self._call(_calls.retry_score_delivery(registration, delivery_id), timeout)

    def list_line_items(
        self,
        endpoint: GradeEndpoint,
        *,
        resource_link_id: str = "",
        resource_id: str = "",
        tag: str = "",
        page_size_hint: int = 0,
        timeout: float | None = None,
    ) -> tuple[LineItem, ...]:
        """Returns the line items of the context, all pages. Default timeout 60 s. Safe to retry. All that is given
        must fit."""
        call = _calls.list_line_items(endpoint, resource_link_id, resource_id, tag, page_size_hint)
        return self._call(call, timeout)

    def get_line_item(
        self, endpoint: GradeEndpoint, line_item_uri: str = "", *, timeout: float | None = None
    ) -> LineItem:
        """Reads one line item; without line_item_uri the endpoint's own. Default timeout 30 s. Safe to retry."""
        return self._call(_calls.get_line_item(endpoint, line_item_uri), timeout)

    def ensure_line_item(
        self, endpoint: GradeEndpoint, wanted: LineItem, *, timeout: float | None = None
    ) -> EnsuredLineItem:
        """Finds the line item that is wanted, and makes it only where there is none. Default timeout 60 s. Safe to
        retry.

        wanted has a label and a score_maximum, and at least one of resource_link_id, resource_id and tag, by which it
        is found. An item that is there is never changed. `GradeEndpoint.with_line_item` then posts scores to it.
        """
        return self._call(_calls.ensure_line_item(endpoint, wanted), timeout)

    def update_line_item(
        self, endpoint: GradeEndpoint, item: LineItem, fields: Iterable[str] = (), *, timeout: float | None = None
    ) -> LineItem:
        """Changes a line item, and leaves what is not named as it is. Default timeout 30 s. Safe to retry.

        fields names what to change, such as `score_maximum`; one that is empty in item is cleared. Without fields,
        all that is set in item is changed.
        """
        return self._call(_calls.update_line_item(endpoint, item, fields), timeout)

    def delete_line_item(self, endpoint: GradeEndpoint, line_item_uri: str, *, timeout: float | None = None) -> None:
        """Deletes a line item with its scores. Default timeout 30 s. Safe to retry."""
        return self._call(_calls.delete_line_item(endpoint, line_item_uri), timeout)

    def list_results(
        self,
        endpoint: GradeEndpoint,
        line_item_uri: str = "",
        *,
        user_id: str = "",
        page_size_hint: int = 0,
        idle_timeout: float | None = None,
    ) -> Results:
        """Reads all grades that the platform has for a line item, or raises. Safe to retry from the start.

        Without line_item_uri it is the endpoint's own. user_id keeps this user's. idle_timeout, default 60 s, limits
        each wait and not the whole.
        """
        request = _calls.list_results(endpoint, line_item_uri, user_id, page_size_hint)
        idle = idle_timeout or self._timeout or 60
        return Results(self._stream(_calls.LIST_RESULTS, request, idle), ResultParts())

    def list_members(
        self,
        endpoint: MembershipEndpoint,
        *,
        role: str = "",
        resource_link_id: str = "",
        page_size_hint: int = 0,
        differences_uri: str = "",
        groups: bool = False,
        idle_timeout: float | None = None,
    ) -> Roster:
        """Reads the whole roster of a launch's course, or raises. Safe to retry from the start.

        role keeps one context role, as a URI or a short name such as `Learner`. resource_link_id keeps the users who
        can open this link. differences_uri, from an earlier roster, asks for what has changed since. groups asks for
        each member's groups too.

        The members come as they arrive: idle_timeout, default 60 s, limits each wait and not the whole.
        """
        request = _calls.list_members(endpoint, role, resource_link_id, page_size_hint, differences_uri, groups)
        idle = idle_timeout or self._timeout or 60
        return Roster(self._stream(_calls.LIST_MEMBERS, request, idle), RosterParts())

    def list_groups(
        self,
        endpoint: GroupEndpoint,
        *,
        user_id: str = "",
        page_size_hint: int = 0,
        timeout: float | None = None,
    ) -> CourseGroups:
        """Returns the groups of a course and their sets, all pages. Default timeout 60 s. Safe to retry. user_id keeps
        the groups of this user."""
        return self._call(_calls.list_groups(endpoint, user_id, page_size_hint), timeout)

    def send_events(
        self, endpoint: EventEndpoint, envelope_json: str, *, durable: bool = False, timeout: float | None = None
    ) -> EventDelivery:
        """Sends one Caliper envelope, as JSON text. Default timeout 30 s. Safe to retry where each event has an id.

        durable answers as soon as the envelope is kept safely, and delivers it later where the platform cannot take
        it now. Without it a failure raises.
        """
        return self._call(_calls.send_events(endpoint, envelope_json, durable), timeout)
