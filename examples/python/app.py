# SPDX-License-Identifier: Apache-2.0
"""An LTI tool in one file: greets its user by name and role, posts a score, and shows teachers the roster.

Its session is the launch token, which the sidecar seals and checks. A cookie carries it to GET /home. Every form
carries it too: forms work where the browser blocks cookies, each tab keeps its own launch, and no other site can post
them. It is never in a URL, because URLs end up in logs and histories.
"""

import os

from flask import Flask, make_response, redirect, render_template_string, request

from ltisidecar import BrowserBinding, Reason, Score, Sidecar, SidecarError
from ltisidecar.flask import LTIBlueprint, error_response

COOKIE = "__Host-lti-launch"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Example tool</title>
{% set role = launch.role_summary %}{% set grades = launch.grades %}
<h1>Hello {{ launch.user.name or "you" if launch.user else "guest" }}</h1>
<p>You are {{ "a teacher" if role.instructor else "a learner" if role.learner else "a visitor" }}.</p>
{% if note %}<p id="note">{{ note }}</p>{% endif %}
<ul id="roster">{% for member in members %}<li>{{ member.name or member.user_id }}</li>{% endfor %}</ul>
<form method="post"><input type="hidden" name="launch_token" value="{{ launch.launch_token }}">
{% if launch.user and grades and grades.can_post_score %}<button formaction="/score">8 of 10</button>{% endif %}
{% if launch.memberships and role.instructor %}<button formaction="/roster">Roster</button>{% endif %}
</form></html>"""

app = Flask(__name__)
app.register_error_handler(SidecarError, error_response)
sidecar = Sidecar()  # at LTISIDECAR_ADDRESS
lti = LTIBlueprint(sidecar)  # /lti/login, /lti/launch and /lti/jwks


def page(launch, note="", members=()):
    response = make_response(render_template_string(PAGE, launch=launch, note=note, members=members))
    response.headers["Cache-Control"] = "no-store"
    return response


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
        return redirect("/home", 303)  # this browser posted its own launch again
    return None  # the sidecar's page


@app.get("/home")
def home():
    return page(check(request.cookies.get(COOKIE)))


@app.post("/score")
def score():
    launch = check(request.form.get("launch_token"))
    if not (launch.user and launch.grades):
        return "This launch takes no score.", 403
    delivery = sidecar.post_score(launch.grades, Score(launch.user.id, score_given=8, score_maximum=10))
    return page(launch, note=f"Your score of 8 of 10 is {delivery.state.value.lower()}.")


@app.post("/roster")
def roster():
    launch = check(request.form.get("launch_token"))
    if not (launch.memberships and launch.role_summary.instructor):
        return "Only teachers see the roster.", 403
    return page(launch, members=list(sidecar.list_members(launch.memberships)))


app.register_blueprint(lti)
if __name__ == "__main__":
    certificate = (os.environ["TOOL_CERT"], os.environ["TOOL_KEY"])
    app.run("127.0.0.1", int(os.environ.get("TOOL_PORT", "8443")), ssl_context=certificate)
