# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle

import pytest

from ltisidecar import Reason
from ltisidecar.v1 import error_reason_pb2


def test_reasons_are_those_of_the_api() -> None:
    values = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name}
    assert {reason.value for reason in Reason} == values - {"UNSPECIFIED"}
    assert all(reason.name == reason.value for reason in Reason)


def test_a_known_text_is_the_member() -> None:
    assert Reason("NONCE_REPLAYED") is Reason.NONCE_REPLAYED
    assert str(Reason.NONCE_REPLAYED) == "NONCE_REPLAYED"
    assert f"{Reason.NONCE_REPLAYED}" == "NONCE_REPLAYED"


def test_an_unknown_text_is_kept() -> None:
    reason = Reason("OF_A_LATER_VERSION")
    assert isinstance(reason, Reason)
    assert reason == "OF_A_LATER_VERSION" == str(reason)
    assert reason not in list(Reason)
    assert pickle.loads(pickle.dumps(reason)) == reason
    with pytest.raises(ValueError, match="7 is not a valid Reason"):
        Reason(7)
