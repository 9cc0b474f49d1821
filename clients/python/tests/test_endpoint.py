# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from ltisidecar import GradeEndpoint, MembershipEndpoint

GRADES = GradeEndpoint(
    registration="canvas",
    deployment_id="1:d",
    line_item_uri="https://lms.example/items/7",
    line_items_uri="https://lms.example/items",
    scopes=("https://purl.imsglobal.org/spec/lti-ags/scope/score",),
    can_post_score=True,
)
MEMBERSHIPS = MembershipEndpoint(
    registration="canvas",
    deployment_id="1:d",
    context_memberships_uri="https://lms.example/names_and_roles",
    service_versions=("2.0",),
)


def test_a_stored_endpoint_comes_back_whole() -> None:
    assert GradeEndpoint.from_json(GRADES.to_json()) == GRADES
    assert MembershipEndpoint.from_json(MEMBERSHIPS.to_json()) == MEMBERSHIPS


def test_members_of_a_later_version_are_ignored() -> None:
    stored = json.loads(GRADES.to_json()) | {"later": 1}
    assert GradeEndpoint.from_json(json.dumps(stored)) == GRADES


@pytest.mark.parametrize("name", list(json.loads(GRADES.to_json())))
def test_a_stored_endpoint_with_a_part_missing_is_refused(name: str) -> None:
    stored = json.loads(GRADES.to_json())
    stored[name] = None
    with pytest.raises(ValueError, match=name):
        GradeEndpoint.from_json(json.dumps(stored))


@pytest.mark.parametrize("text", ["[]", "null", "{", '{"registration": "r", "deployment_id": 1}'])
def test_text_that_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        MembershipEndpoint.from_json(text)


def test_a_list_with_something_else_inside_is_refused() -> None:
    stored = json.loads(GRADES.to_json()) | {"scopes": [1]}
    with pytest.raises(ValueError, match="scopes"):
        GradeEndpoint.from_json(json.dumps(stored))
