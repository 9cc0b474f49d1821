# SPDX-License-Identifier: Apache-2.0
"""An LTI tool in one file: greets its user by name and role, posts a score and shows what became of it, shows teachers
the roster, and lets authors pick a quiz for their course.

Its session is the launch token, which the sidecar seals and checks: in a cookie for GET /home, and in every form, which
works where the browser blocks cookies, keeps tabs apart, and cannot be posted by another site. It is never in a URL.
"""

import os

from flask import Flask, make_response, redirect, render_template_string, request

from ltisidecar import BrowserBinding, LineItem, Reason, ResourceLinkItem, Score, Sidecar, SidecarError
from ltisidecar.flask import LTIBlueprint, error_response

COOKIE = "__Host-lti-launch"
SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Example tool</title>
{% set role = launch.role_summary %}{% set grades = launch.grades %}<h1>Hello {{ launch.user.name or "you" if launch.user else "guest" }}</h1>
<p>You are {{ "a teacher" if role.instructor else "a learner" if role.learner else "a visitor" }}.</p>{% if note %}<p id="note">{{ note }}</p>{% endif %}<ul>
{% for line in lines %}<li>{{ line }}</li>{% endfor %}</ul>
<form method="post"><input type="hidden" name="launch_token" value="{{ launch.launch_token }}">
{% if launch.user and grades and grades.can_post_score %}<button formaction="/score">8 of 10</button>
<button formaction="/deliveries">My scores</button>{% endif %}
{% if launch.memberships and role.instructor %}<button formaction="/roster">Roster</button>{% endif %}
{% if role.instructor %}<button formaction="/token">Service token</button>{% endif %}</form></html>"""
PICKER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Example tool</title><h1>Pick a quiz</h1>
<form method="post" action="/lti/content">{% set settings = launch.deep_linking %}
<input type="hidden" name="deep_linking_token" value="{{ settings.deep_linking_token }}">
<input type="hidden" name="graded" value="{{ "" if settings.accept_line_item == False else "yes" }}">
<select name="quiz"><option>Cells</option><option>Genes</option></select> <button>Add it</button></form></html>"""

app = Flask(__name__)
app.register_error_handler(SidecarError, error_response)
sidecar = Sidecar()  # at LTISIDECAR_ADDRESS
lti = LTIBlueprint(sidecar)  # /lti/login, /lti/launch, /lti/content and /lti/jwks


def page(launch, note="", lines=()):
    html = render_template_string(PAGE, launch=launch, note=note, lines=lines)
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


@lti.on_deep_linking
def pick(launch):
    return make_response(render_template_string(PICKER, launch=launch), {"Cache-Control": "no-store"})


@lti.on_content
def picked():  # the picker's form; the sidecar checks the token, signs the item, and sends the author back
    quiz = request.form["quiz"]
    column = LineItem(label=quiz, score_maximum=10) if request.form["graded"] else None
    return [ResourceLinkItem(title=quiz, custom={"quiz": quiz}, line_item=column)]


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
    if action == "deliveries" and launch.user and launch.grades:
        mine = {"line_item_uri": launch.grades.line_item_uri, "user_id": launch.user.id}
        found = sidecar.list_score_deliveries(launch.registration, **mine).deliveries
        return page(launch, lines=[f"{one.state.value.lower()} {one.platform_error}".strip() for one in found])
    if action == "roster" and launch.memberships and teacher:
        members = sidecar.list_members(launch.memberships)
        return page(launch, lines=[member.name or member.user_id for member in members])
    if action == "token" and teacher:  # for calls to the platform that the sidecar does not make
        token = sidecar.get_service_token(launch.registration, launch.deployment_id, [SCOPE])
        return page(launch, note=f"A service token is good until {token.expire_time:%H:%M} UTC.")
    return "This launch does not offer that.", 403


app.register_blueprint(lti)
if __name__ == "__main__":
    app.run(port=os.environ.get("TOOL_PORT", 8443), ssl_context=(os.environ["TOOL_CERT"], os.environ["TOOL_KEY"]))
