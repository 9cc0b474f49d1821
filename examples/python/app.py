# SPDX-License-Identifier: Apache-2.0
"""An LTI tool in one file: greets its user by name and role, posts a score, and shows teachers the roster.

Its session is the launch token, which the sidecar seals and checks: in a cookie for GET /home, and in every form, which
works where the browser blocks cookies, keeps tabs apart, and cannot be posted by another site. It is never in a URL.
"""

import os

from flask import Flask, make_response, redirect, render_template_string, request

from ltisidecar import BrowserBinding, Reason, Score, Sidecar, SidecarError
from ltisidecar.flask import LTIBlueprint, error_response

COOKIE = "__Host-lti-launch"
SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Example tool</title>
{% set role = launch.role_summary %}{% set grades = launch.grades %}<h1>Hello {{ launch.user.name or "you" if launch.user else "guest" }}</h1>
<p>You are {{ "a teacher" if role.instructor else "a learner" if role.learner else "a visitor" }}.</p>{% if note %}<p id="note">{{ note }}</p>{% endif %}<ul id="roster">
{% for member in members %}<li>{{ member.name or member.user_id }}</li>{% endfor %}</ul>
<form method="post"><input type="hidden" name="launch_token" value="{{ launch.launch_token }}">
{% if launch.user and grades and grades.can_post_score %}<button formaction="/score">8 of 10</button>{% endif %}
{% if launch.memberships and role.instructor %}<button formaction="/roster">Roster</button>{% endif %}
{% if role.instructor %}<button formaction="/token">Service token</button>{% endif %}</form></html>"""

app = Flask(__name__)
app.register_error_handler(SidecarError, error_response)
sidecar = Sidecar()  # at LTISIDECAR_ADDRESS
lti = LTIBlueprint(sidecar)  # /lti/login, /lti/launch and /lti/jwks


def page(launch, note="", members=()):
    html = render_template_string(PAGE, launch=launch, note=note, members=members)
    return make_response(html, {"Cache-Control": "no-store"})


def check(token):
    return sidecar.check_launch_token(token or "none").launch  # raises LaunchRejected


@lti.on_launch
def launched(launch):
    if launch.browser_binding is BrowserBinding.PLATFORM_STORAGE or not 0 < len(launch.launch_token) < 3500:
        return page(launch)  # the browser blocks cookies, or the token does not fit into one
    response = redirect("/home", 303)  # so that a reload repeats only GET /home
    response.set_cookie(COOKIE, launch.launch_token, secure=True, httponly=True, samesite="None", partitioned=True)
    return response


@lti.on_error
def failed(error):
    replayed = error.reason is Reason.NONCE_REPLAYED and COOKIE in request.cookies
    if replayed and check(request.cookies[COOKIE]).launch_id == error.launch_id:
        return redirect("/home", 303)  # this browser posted its own launch again; otherwise the sidecar's page


@app.get("/home")
def home():
    return page(check(request.cookies.get(COOKIE)))


@app.post("/<action>")
def act(action):
    launch = check(request.form.get("launch_token"))
    teacher = launch.role_summary.instructor
    if action == "score" and launch.user and launch.grades:
        delivery = sidecar.post_score(launch.grades, Score(launch.user.id, score_given=8, score_maximum=10))
        return page(launch, note=f"Your score of 8 of 10 is {delivery.state.value.lower()}.")
    if action == "roster" and launch.memberships and teacher:
        return page(launch, members=list(sidecar.list_members(launch.memberships)))
    if action == "token" and teacher:  # for calls to the platform that the sidecar does not make
        token = sidecar.get_service_token(launch.registration, launch.deployment_id, [SCOPE])
        return page(launch, note=f"A service token is good until {token.expire_time:%H:%M} UTC.")
    return "This launch does not offer that.", 403


app.register_blueprint(lti)
if __name__ == "__main__":
    app.run(port=os.environ.get("TOOL_PORT", 8443), ssl_context=(os.environ["TOOL_CERT"], os.environ["TOOL_KEY"]))
