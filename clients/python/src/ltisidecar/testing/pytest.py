# SPDX-License-Identifier: Apache-2.0
"""Fixtures for pytest. In conftest.py:

pytest_plugins = ["ltisidecar.testing.pytest"]
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ltisidecar.testing._processes import MissingProgram, Stack, program, run_stack


@pytest.fixture(scope="session")
def lti_programs() -> None:
    """Skips the test, or fails it where CI=true, if the programs `sidecar` and `platformsim` are not there."""
    try:
        program("sidecar")
        program("platformsim")
    except MissingProgram as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def lti_tool_url() -> str:
    """Address of the tool; override it for another one. With wsgi_tool and asgi_tool nothing has to listen there."""
    return "https://localhost:8443"


@pytest.fixture(scope="session")
def lti(lti_programs: None, lti_tool_url: str) -> Iterator[Stack]:
    """A simulator and a sidecar that know the tool at lti_tool_url, with its routes below /lti. LTISIDECAR_ADDRESS
    names the sidecar: make the application in a fixture that takes this one."""
    with run_stack(lti_tool_url) as stack:
        yield stack
