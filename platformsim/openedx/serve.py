# SPDX-License-Identifier: Apache-2.0
"""Serve Open edX's own LTI 1.3 platform code on a loopback address, for the integration tests.

The views, models, keys, signatures and token checks are those of the released package `lti-consumer-xblock`, run on
Django with an empty database of their own. This file adds only what a whole Open edX would stand around them: the
settings, one configured tool, one student or teacher, TLS, and the page that a user clicks (`/login`).

It is not called platform.py, because a script's directory comes first on the import path and that name would hide a
module of the standard library.

Once it listens it prints one line of JSON: the values to register the platform with, and `login_uri`. It serves until
its standard input is closed.
"""
import argparse
import json
import logging
import os
import secrets
import socketserver
import ssl
import sys
import tempfile
import threading
import wsgiref.simple_server

import django
from django.conf import settings

COURSE_KEY = "course-v1:DemoX+LTI.101+2026_T3"
USAGE_KEY = "block-v1:DemoX+LTI.101+2026_T3+type@lti_consumer+block@5f0c7a1e9b3d4c2a8e6f1d0b7a9c3e5f"
EXTERNAL_USER_ID = "3a1c9f52-7d84-4f0e-9b6a-2c5d8e7f1a90"
ROLES = ("student", "instructor", "staff", "global_staff", "Community TA")  # of those that the package maps


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    """A WSGI server with one short-lived thread a connection."""

    daemon_threads = True


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    """A request handler that gives up on silent clients and writes no access log."""

    timeout = 10  # seconds, for the TLS handshake and each read

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


def configure(base_uri, database):
    """Set up Django with the least that the package's views need."""
    settings.configure(
        SECRET_KEY=secrets.token_urlsafe(32),
        ALLOWED_HOSTS=["127.0.0.1"],
        LMS_ROOT_URL=base_uri,
        PLATFORM_NAME="Example Open edX",
        # Open edX's own pattern for usage keys in paths.
        USAGE_ID_PATTERN=r"(?P<usage_id>(?:i4x://?[^/]+/[^/]+/[^/]+/[^@]+(?:@[^/]+)?)|(?:[^/]+))",
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "lti_consumer"],
        MIDDLEWARE=[
            "edx_django_utils.cache.middleware.RequestCacheMiddleware",
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
        LOGGING_CONFIG=None,
        OPENEDX_TELEMETRY=[],  # the default looks for a monitoring product and warns that it is absent
    )
    django.setup()


def add_tool(login_uri, launch_uri, tool_jwks_uri):
    """Configure one tool, as a course author would, with one line item. Return its LtiConfiguration."""
    from django.core.management import call_command
    from lti_consumer.models import Lti1p3Passport, LtiAgsLineItem, LtiConfiguration

    call_command("migrate", verbosity=0)
    passport = Lti1p3Passport.objects.create(name="ltisidecar", lti_1p3_tool_keyset_url=tool_jwks_uri)
    configuration = LtiConfiguration.objects.create(
        version=LtiConfiguration.LTI_1P3,
        config_store=LtiConfiguration.CONFIG_ON_DB,
        lti_1p3_passport=passport,
        lti_1p3_oidc_url=login_uri,
        lti_1p3_launch_url=launch_uri,
        # The other mode reads the course block from the LMS, which is not here. Without a block's location the line
        # item takes scores and returns results, but feeds no gradebook.
        lti_advantage_ags_mode=LtiConfiguration.LTI_ADVANTAGE_AGS_PROGRAMMATIC,
    )
    LtiAgsLineItem.objects.create(
        lti_configuration=configuration, resource_id="quiz-1", label="Quiz 1", score_maximum=100
    )
    return configuration


def launch_data(configuration, role):
    """Return what a course page knows of a launch, filled as the package's LtiConsumerXBlock fills it."""
    from lti_consumer.data import Lti1p3LaunchData

    return Lti1p3LaunchData(
        user_id=7,
        user_role=role,
        config_id=configuration.config_id,
        resource_link_id=USAGE_KEY,
        external_user_id=EXTERNAL_USER_ID,
        preferred_username="ada",
        name="Ada Lovelace",
        email="ada@example.com",
        launch_presentation_document_target="iframe",
        context_id=COURSE_KEY,
        context_type=["course_offering"],
        context_title="Learning Tools - DemoX",
        context_label=COURSE_KEY,
        custom_parameters={"chapter": "3", "note": "a+b @ c"},
    )


def add_routes(configuration):
    """Route the package's own URLs where an LMS has them, and `/login?role=ROLE` for the user's click."""
    from django.http import HttpResponseBadRequest, HttpResponseRedirect
    from django.urls import include, path
    from lti_consumer import api

    def login(request):
        role = request.GET.get("role", "student")
        if role not in ROLES:
            return HttpResponseBadRequest(f"role must be one of {', '.join(ROLES)}", content_type="text/plain")
        return HttpResponseRedirect(api.get_lti_1p3_launch_start_url(launch_data(configuration, role)))

    globals()["urlpatterns"] = [path("login", login), path("api/", include("lti_consumer.plugin.urls"))]


def main():
    """Serve until standard input is closed."""
    parser = argparse.ArgumentParser(description="Serve Open edX's LTI 1.3 platform code on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0, the default, takes a free one")
    parser.add_argument("--cert", required=True, help="PEM file of the TLS certificate, valid for 127.0.0.1")
    parser.add_argument("--key", required=True, help="PEM file of its private key")
    parser.add_argument("--ca", required=True, help="PEM file of the CA to trust when the tool's keys are fetched")
    parser.add_argument("--login-uri", required=True, help="login initiation URI of the tool")
    parser.add_argument("--launch-uri", required=True, help="launch URI of the tool")
    parser.add_argument("--tool-jwks-uri", required=True, help="URI of the tool's public keys; fetched when needed")
    args = parser.parse_args()

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    os.environ["SSL_CERT_FILE"] = args.ca  # the package fetches the tool's keys with Python's default TLS context
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(args.cert, args.key)

    with Server(("127.0.0.1", args.port), Handler) as server, tempfile.TemporaryDirectory() as directory:
        # The handshake is left to the connection's thread: a silent client must not hold up the others.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.base_environ["HTTPS"] = "on"  # tells wsgiref, and so Django, that requests came by https
        configure(f"https://127.0.0.1:{server.server_port}", os.path.join(directory, "platform.sqlite3"))
        configuration = add_tool(args.login_uri, args.launch_uri, args.tool_jwks_uri)
        add_routes(configuration)

        from django.core.wsgi import get_wsgi_application
        from lti_consumer import __version__, api

        info = api.get_lti_1p3_launch_info(launch_data(configuration, "student"))
        server.set_app(get_wsgi_application())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({
            "version": __version__,
            "issuer": settings.LMS_ROOT_URL,
            "client_id": info["client_id"],
            "deployment_id": info["deployment_id"],
            "authorization_uri": info["oidc_callback"],
            "token_uri": info["token_url"],
            "jwks_uri": info["keyset_url"],
            "login_uri": f"{settings.LMS_ROOT_URL}/login",
        }), flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
