# SPDX-License-Identifier: Apache-2.0
"""The real sidecar and a simulated platform for the tests of your tool, and a browser to launch it with.

    with run_stack() as lti:
        browser = lti.browser("canvas", tool=wsgi_tool(app))
        page = browser.launch("student")
        assert "Hello" in page.text

For pytest, `ltisidecar.testing.pytest` has the fixture `lti`. The programs `sidecar` and `platformsim` are found by
LTISIDECAR_BIN and PLATFORMSIM_BIN, or on PATH.
"""

from ltisidecar.testing._browser import PARTITIONED, PLAIN, Browser, Form, Page, Request
from ltisidecar.testing._processes import (
    PLATFORMS,
    MissingProgram,
    Simulator,
    Stack,
    program,
    run_sidecar,
    run_simulator,
    run_stack,
    running,
)
from ltisidecar.testing._tool import asgi_tool, wsgi_tool

__all__ = [
    "PARTITIONED",
    "PLAIN",
    "PLATFORMS",
    "Browser",
    "Form",
    "MissingProgram",
    "Page",
    "Request",
    "Simulator",
    "Stack",
    "asgi_tool",
    "program",
    "run_sidecar",
    "run_simulator",
    "run_stack",
    "running",
    "wsgi_tool",
]
