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
// A test without a tool's web server uses Browser.LoginInitiation and Browser.Authorize instead of Launch.
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
//	GET    registrations   what to configure on the tools' side
//	POST   tools           install or change a tool, with the names of the configuration file
//	GET    launches        claims of the id_tokens that were sent
//	GET    tokens          token requests: header, claims, deployment claim, granted scopes or the refusal
//	POST   tokens/revoke   forget all service tokens
//	GET    scores          scores that came, stored or refused
//	GET    hits            how often jwks, authorize, token, nrps, ags_... were asked
//	GET    faults          what is switched on
//	POST   faults          FaultSetting: {"fault":"expired"} once, "times":3, or "sticky":true; "value" for its parameter
//	DELETE faults          switch all off
//	POST   keys/rotate     rotate the platform's keys: without a body as the platform does; {"how":"overlap"} keeps the old
//	                       ones published, "abrupt" publishes new ones alone, "same_kid" changes the key and not its kid
//
// A POST answers 204, or 400 with the reason as text. The fault names are the Fault constants. The records hold at most
// the last 1,000 entries each.
//
// # Strictness
//
// Real platforms forgive a lot: Moodle looks at neither aud nor jti of a client assertion. By default every platform
// here checks all of aud, iss = sub = client_id, exp, iat, jti (once), kid and, where it is present, the deployment
// claim; PlatformConfig.Lax leaves only the real platform's checks.
//
// What a platform's code or documentation does not say is not invented: it follows the specifications, and a switch of
// PlatformConfig makes it otherwise.
package platformsim
