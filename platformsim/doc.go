// SPDX-License-Identifier: Apache-2.0

// Package platformsim is a learning platform in a box: one HTTPS server on loopback that plays several platforms at
// once, each under its own path (https://127.0.0.1:PORT/canvas, .../moodle), with the shapes and the strictness of the
// real ones: Canvas, Moodle, Brightspace, Blackboard, Sakai, Open edX and Schoology. It is the judge of this project and
// therefore imports nothing else of it: keys, signatures and checks are its own.
//
// # Use in a test
//
//	sim, err := platformsim.New(platformsim.Config{})
//	sim.Start()
//	defer sim.Close()
//	canvas := sim.Platform("canvas")
//	err = canvas.SetTool(platformsim.ToolConfig{Name: "quiz", LoginURI: ..., LaunchURIs: ..., JWKSURI: ...})
//	reg := canvas.Registration("quiz") // what to configure on the tool's side
//	browser, err := sim.NewBrowser()
//	page, err := browser.Launch(ctx, platformsim.Click{Platform: "canvas", Tool: "quiz"})
//
// A Click with Message: MessageDeepLinking asks the tool for content; Browser.Return posts its answer, and Click.Link then
// opens one of the links that it made. A test without a tool's web server uses Browser.LoginInitiation and
// Browser.Authorize instead of Launch.
//
// # For people
//
// GET / lists the platforms; GET /<profile>/course is the course: choose who you are, launch a tool in the page or in a
// window, read the grade book and the roster, and break things.
//
// # For programs
//
// JSON under /<profile>/sim/; everybody who reaches the port may use it, so the server listens on loopback only.
//
//	GET    gradebook       line items with their grades
//	POST   gradebook       GradeChange: {"line_item":"7","lock":true} or {"line_item":"7","user":"student","override":80}
//	GET    people          everybody who can launch; "key" is the name to launch as
//	POST   people          RosterChange: {"user":"student3","status":"Deleted"}, or Inactive, or Active again
//	GET    links           links of the course: what the tools came with, and what deep linking made
//	GET    groups          groups with their members; groupsets has the sets
//	GET    registrations   what to configure on the tools' side
//	POST   tools           install or change a tool, with the names of the configuration file
//	GET    launches        claims of the id_tokens that were sent
//	GET    deeplinking     responses to deep linking that came, taken or refused
//	GET    tokens          token requests: header, claims, deployment claim, granted scopes or the refusal
//	POST   tokens/revoke   forget all service tokens
//	GET    scores          scores that came, stored or refused; ?after=N leaves out the first N that ever came
//	GET    events          envelopes of Caliper events that came, stored or refused
//	GET    requests        requests to the services, the status of the answer, and the fault that struck
//	GET    hits            how often jwks, authorize, token, nrps, ags_... were asked
//	GET    faults          what is switched on
//	POST   faults          FaultSetting: {"fault":"expired"} once, "times":3, or "sticky":true; "value" for its parameter;
//	                       for services also "endpoint":"ags_scores", and "percent":5,"seed":1 for a share of the requests
//	DELETE faults          switch all off
//	POST   keys/rotate     rotate the platform's keys: without a body as the platform does; {"how":"overlap"} keeps the old
//	                       ones published, "abrupt" publishes new ones alone, "same_kid" changes the key and not its kid
//
// A POST answers 204, or 400 with the reason as text. The fault names are the Fault constants. The records hold at most
// the last 1,000 entries each, unless Config.RecordLimit says otherwise.
//
// # Strictness
//
// Real platforms forgive a lot: Moodle looks at neither aud nor jti of a client assertion. By default every platform
// here checks all of aud, iss = sub = client_id, exp, iat, jti (once), kid and, where it is present, the deployment
// claim; and of a response to deep linking everything that the specification asks for. PlatformConfig.Lax leaves only the
// real platform's checks.
//
// A platform offers only the services that the real one has; Profile.NotOffered says why one is missing. What a
// platform's code or documentation does not say is not invented: it follows the specifications, and a switch of
// PlatformConfig makes it otherwise.
package platformsim
