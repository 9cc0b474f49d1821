# SPDX-License-Identifier: Apache-2.0
"""PyLTI1p3 as a peer of the benchmark: see README.md."""

import json
import sys

from pylti1p3.cookie import CookieService
from pylti1p3.message_launch import MessageLaunch
from pylti1p3.request import Request
from pylti1p3.session import SessionService
from pylti1p3.tool_config import ToolConfDict


class MemoryRequest(Request):
    """A request whose session is a dictionary."""

    def __init__(self, params, session):
        self._params = params
        self._session = session

    @property
    def session(self):
        return self._session

    def is_secure(self):
        return True

    def get_param(self, key):
        return self._params.get(key)


class MemoryCookies(CookieService):
    """Cookies that the browser sent back."""

    def __init__(self, cookies):
        self._cookies = cookies

    def get_cookie(self, name):
        return self._cookies.get(name)

    def set_cookie(self, name, value, exp=3600):
        self._cookies[name] = value


class MemoryLaunch(MessageLaunch):
    """A launch without a web framework."""

    def _get_request_param(self, key):
        return self._request.get_param(key)


def prepare(config, launch):
    """What the login left behind: not measured here, nor for the sidecar."""
    request = MemoryRequest({"id_token": launch["id_token"], "state": launch["state"]}, {})
    session = SessionService(request)
    session.save_nonce(launch["nonce"])
    cookies = MemoryCookies({launch["state"]: launch["state"]})
    return MemoryLaunch(request, config, session, cookies)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    config = ToolConfDict({
        given["issuer"]: {
            "client_id": given["client_id"],
            "auth_login_url": "https://lms.example/auth",
            "auth_token_url": "https://lms.example/token",
            "key_set": given["jwks"],
            "deployment_ids": [given["deployment_id"]],
        }
    })
    launches = [prepare(config, launch) for launch in given["launches"]]
    warm = len(launches) // 10
    for launch in launches[:warm]:
        launch.validate()
    print("ready", flush=True)
    sys.stdin.readline()
    for launch in launches[warm:]:
        launch.validate()
    print("done", len(launches) - warm, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
