// SPDX-License-Identifier: Apache-2.0

package ltisidecar_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ltisidecar/ltisidecar"

// A ban names import paths (and everything below them) that a package must not reach, and why.
type ban struct {
	paths  []string
	why    string
	direct bool // only its own imports count, not those of its imports
}

// A room is one package of this module: it may import rooms of lower floors, except what is banned.
type room struct {
	floor int
	bans  []ban
}

var (
	grpcPaths   = []string{"google.golang.org/grpc", "google.golang.org/protobuf", module + "/proto"}
	driverPaths = []string{
		"github.com/dgraph-io/badger", "go.etcd.io/bbolt", "github.com/redis/rueidis", "github.com/jackc/pgx",
		module + "/noncestore/badgerstore", module + "/noncestore/redisstore", module + "/noncestore/postgresstore",
		module + "/records/boltstore", module + "/records/postgresstore",
	}
	judgedPaths = []string{module + "/launch", module + "/jose", module + "/keystore", module + "/servicetoken"}
)

func noGRPC(why string) ban    { return ban{paths: grpcPaths, why: why} }
func noDrivers(why string) ban { return ban{paths: driverPaths, why: why} }
func no(why string, packages ...string) ban {
	paths := make([]string, len(packages))
	for i, p := range packages {
		paths[i] = module + "/" + p
	}
	return ban{paths: paths, why: why}
}

const (
	auditable   = "the core can be read, fuzzed and measured alone"
	speaksHTTP  = "it speaks to platforms, not to the tool"
	storesApart = "a store knows its database and its contract, nothing of launches"
	judge       = "the judge shares no code with the accused"
)

// rooms is the whole house. A package that is not listed fails the test: give it a floor and say what it must not
// reach. Tests (_test.go) may import what they like.
var rooms = map[string]room{
	"": {floor: 0, bans: []ban{{paths: []string{""}, why: "the root is a map, not code"}}},

	"lti": {floor: 0, bans: []ban{{
		paths: []string{"os", "net", "net/http", "io/fs", "io/ioutil", "syscall", "log", "log/slog", "database/sql"},
		why:   "the vocabulary does no I/O", direct: true,
	}, noGRPC(auditable)}},
	"proto/ltisidecar/v1": {floor: 0},
	"docs": {floor: 0, bans: []ban{
		{paths: []string{module, "os", "net"}, why: "pages are text", direct: true},
	}},

	"jose": {floor: 10, bans: []ban{
		noGRPC(auditable),
		{paths: []string{"os", "net", "net/http"}, why: "it does no I/O; jwx's fetching of keys is not used", direct: true},
	}},
	"outbound": {floor: 10, bans: []ban{noGRPC(speaksHTTP)}},
	"noncestore": {floor: 10, bans: []ban{
		noGRPC("a contract has no transport"), noDrivers("a contract has no implementation"),
	}},
	"records": {floor: 10, bans: []ban{
		noGRPC("a contract has no transport"), noDrivers("a contract has no implementation"),
	}},

	"noncestore/fence": {floor: 11, bans: []ban{
		noDrivers("it is what the engines have in common"), noGRPC(storesApart), no(storesApart, "launch", "records", "platform"),
	}},
	"noncestore/badgerstore": {floor: 11, bans: []ban{
		no(storesApart, "launch", "records", "platform"),
		{paths: []string{"google.golang.org/grpc"}, why: storesApart},
	}},
	"postgres":                  {floor: 10, bans: []ban{noGRPC(storesApart), {paths: []string{module}, why: "it knows a database, not what is kept in it"}}},
	"noncestore/postgresstore":  {floor: 12, bans: []ban{noGRPC(storesApart), no(storesApart, "launch", "records", "platform")}},
	"records/postgresstore":     {floor: 12, bans: []ban{noGRPC(storesApart), no(storesApart, "launch", "noncestore", "platform")}},
	"noncestore/redisstore":     {floor: 12, bans: []ban{noGRPC(storesApart), no(storesApart, "launch", "records", "platform")}},
	"noncestore/noncestoretest": {floor: 11, bans: []ban{noDrivers("the suite knows no implementation")}},
	"records/boltstore":         {floor: 11, bans: []ban{no(storesApart, "launch", "noncestore", "platform"), noGRPC(storesApart)}},
	"records/recordstest":       {floor: 11, bans: []ban{noDrivers("the suite knows no implementation")}},

	"platform": {floor: 12, bans: []ban{
		noGRPC("registrations and dialects are data"),
		no("it describes platforms and does not call them", "outbound", "jose", "noncestore"),
	}},

	"keystore": {floor: 20, bans: []ban{
		noGRPC("keys never leave by an RPC"), noDrivers("it keeps keys through the contract of records"),
		no("keys and nonces have different fates", "noncestore"),
	}},

	"launch": {floor: 30, bans: []ban{
		noGRPC(auditable), noDrivers(auditable),
		no("it declares what it needs of keys and never fetches", "keystore", "outbound", "records/boltstore"),
	}},
	"servicetoken": {floor: 30, bans: []ban{
		noGRPC(speaksHTTP), noDrivers("it keeps nothing on disk"),
		no("it declares the signer that it needs", "launch", "noncestore"),
	}},

	"pages": {floor: 35, bans: []ban{
		noGRPC(speaksHTTP), noDrivers(speaksHTTP), no("it takes a TokenSource", "servicetoken", "launch", "keystore"),
	}},

	"ags": {floor: 40, bans: []ban{
		noGRPC(speaksHTTP), noDrivers(speaksHTTP), no("it takes a TokenSource", "servicetoken", "launch", "keystore"),
	}},
	"nrps": {floor: 40, bans: []ban{
		noGRPC(speaksHTTP), noDrivers(speaksHTTP), no("it takes a TokenSource", "servicetoken", "launch", "keystore"),
	}},
	"groups": {floor: 40, bans: []ban{
		noGRPC(speaksHTTP), noDrivers(speaksHTTP), no("it takes a TokenSource", "servicetoken", "launch", "keystore"),
	}},

	"outbox": {floor: 40, bans: []ban{
		noGRPC("it delivers, whatever it is"), noDrivers("it keeps entries through the contract of records"),
		no("it takes a Deliver func", "ags", "events", "outbound", "platform"),
	}},
	"events": {floor: 45, bans: []ban{
		noGRPC(speaksHTTP), noDrivers(speaksHTTP), no("it takes a TokenSource", "servicetoken", "launch", "keystore"),
	}},
	"scores": {floor: 45, bans: []ban{
		noGRPC("a score knows no transport"), noDrivers("it is handed its lanes"), no("it is handed its sender", "servicetoken", "launch", "keystore"),
		{paths: []string{module + "/outbound"}, why: "it calls no platform itself", direct: true},
	}},

	"server": {floor: 50, bans: []ban{
		noDrivers("it is handed its stores"),
		{paths: []string{"os"}, why: "files, environment and signals belong to cmd/sidecar", direct: true},
		{paths: []string{module + "/outbound"}, why: "it calls no platform itself", direct: true},
	}},

	"cmd/sidecar": {floor: 60, bans: []ban{no("a simulator has no place in production", "platformsim")}},

	"platformsim":         {floor: 50, bans: []ban{{paths: judgedPaths, why: judge}}},
	"cmd/demo":            {floor: 60, bans: []ban{{paths: judgedPaths, why: "it looks on from outside, as a user does"}}},
	"cmd/platformsim":     {floor: 60, bans: []ban{{paths: judgedPaths, why: judge}}},
	"attack":              {floor: 60, bans: []ban{{paths: []string{module}, why: "it is tests, and a word about them"}}},
	"bench":               {floor: 60, bans: []ban{{paths: judgedPaths, why: judge}}},
	"bench/measure":       {floor: 0, bans: []ban{{paths: []string{module}, why: "a stopwatch knows no launches"}}},
	"bench/workload":      {floor: 0, bans: []ban{{paths: []string{module}, why: judge}}},
	"scripts/mutants":     {floor: 60, bans: []ban{{paths: []string{module}, why: "it changes sources, it does not use them"}}},
	"scripts/drillkeys":   {floor: 60, bans: []ban{no("the drill has platforms of its own", "platformsim")}},
	"scripts/drillroster": {floor: 60, bans: []ban{{paths: judgedPaths, why: "it looks on from outside, as a user does"}}},
	"scripts/benchstores": {floor: 60, bans: []ban{no("it measures stores alone", "launch", "server")}},
	"scripts/drilldisk":   {floor: 60, bans: []ban{{paths: judgedPaths, why: "it looks on from outside, as a user does"}}},
	"scripts/drillreplay": {floor: 60, bans: []ban{no("the drill has a platform of its own", "platformsim")}},
	"scripts/drillscores": {floor: 60, bans: []ban{
		no("the drill has a platform of its own, and the sidecar is a binary to it", "platformsim", "server", "outbox", "scores", "ags", "records", "lti"),
	}},
	"scripts/size": {floor: 60, bans: []ban{{paths: []string{module}, why: "it measures the binary from outside"}}},
	"model":        {floor: 60, bans: []ban{{paths: []string{module}, why: "it models protocols, not code"}}},
	"testservers":  {floor: 55, bans: []ban{{paths: []string{module}, why: "it knows servers, not what we keep in them"}}},
}

// onlyImporters lists imports that belong to a few packages, by path prefix.
var onlyImporters = []struct {
	path string
	who  []string
	why  string
}{
	{"github.com/lestrrat-go/jwx", []string{"jose"}, "the strict gate must stand before every use of it"},
	{"google.golang.org/grpc", []string{"proto/ltisidecar/v1", "server", "cmd/sidecar", "scripts/size", "scripts/drillroster", "scripts/drillscores", "scripts/drillreplay", "scripts/drilldisk", "bench"}, "the transport ends at server"},
	{"connectrpc.com/connect", []string{"server"}, "the transport ends at server"},
	{"github.com/dgraph-io/badger", []string{"noncestore/badgerstore", "scripts/benchstores"}, "a driver lies below its contract"},
	{"go.etcd.io/bbolt", []string{"records/boltstore"}, "a driver lies below its contract"},
	{"github.com/redis/rueidis", []string{"noncestore/redisstore", "testservers", "scripts/benchstores"}, "a driver lies below its contract"},
	{"github.com/jackc/pgx", []string{"postgres", "noncestore/postgresstore", "records/postgresstore", "testservers"}, "a driver lies below its contract"},
	{"github.com/prometheus", []string{"server"}, "one package knows how the sidecar is counted"},
	{"net/http/httptest", nil, "it is for tests"},
	{module + "/testservers", []string{"scripts/drillreplay", "scripts/benchstores"}, "it is for tests, drills and benchmarks"},
}

// listedPackage is what `go list -json` says of a package, as far as it is needed.
type listedPackage struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string // direct
	Deps       []string // direct and indirect
}

func (p *listedPackage) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// TestFloors holds every package of the module to the table.
func TestFloors(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 5 {
		t.Fatalf("go list found %d packages", len(packages))
	}
	for _, p := range packages {
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		for _, breach := range breaches(p) {
			t.Error(breach)
		}
	}
}

// TestNoWallClock keeps the wall clock out of the vocabulary: whoever needs the time is handed it.
func TestNoWallClock(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.name() != "lti" {
			continue
		}
		for _, name := range p.GoFiles {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range clockReads(file) {
				t.Errorf("%s: lti reads the wall clock", set.Position(at))
			}
		}
	}
}

// TestFloorsRefuse shows that each kind of breach is found.
func TestFloorsRefuse(t *testing.T) {
	for _, c := range []struct {
		what string
		p    listedPackage
		want string
	}{
		{"nothing wrong", listedPackage{ImportPath: module + "/launch", Imports: []string{module + "/lti", "fmt"}}, ""},
		{"a package that is not listed", listedPackage{ImportPath: module + "/attic"}, "give it a floor"},
		{"an import of the same floor", listedPackage{ImportPath: module + "/launch", Imports: []string{module + "/servicetoken"}}, "floor"},
		{"an import of a higher floor", listedPackage{ImportPath: module + "/jose", Imports: []string{module + "/platform"}}, "floor"},
		{"a banned package of a lower floor", listedPackage{ImportPath: module + "/launch", Deps: []string{module + "/keystore"}}, "never fetches"},
		{"a banned module, reached through another", listedPackage{ImportPath: module + "/ags", Deps: []string{"google.golang.org/grpc/codes"}}, "speaks to platforms"},
		{"a banned direct import", listedPackage{ImportPath: module + "/server", Imports: []string{"os"}}, "cmd/sidecar"},
		{"a direct ban ignores what others import", listedPackage{ImportPath: module + "/server", Deps: []string{"os"}}, ""},
		{"a name that only begins alike", listedPackage{ImportPath: module + "/server", Imports: []string{"os/signal2", "osmosis"}}, ""},
		{"a module reserved for another", listedPackage{ImportPath: module + "/launch", Imports: []string{"github.com/lestrrat-go/jwx/v2/jwt"}}, "only jose"},
		{"the simulator and the code it judges", listedPackage{ImportPath: module + "/platformsim", Deps: []string{module + "/jose"}}, judge},
		{"code at the root", listedPackage{ImportPath: module, Imports: []string{"fmt"}}, "a map"},
	} {
		found := breaches(&c.p)
		switch {
		case c.want == "" && len(found) > 0:
			t.Errorf("%s: %q", c.what, found)
		case c.want != "" && !strings.Contains(strings.Join(found, "\n"), c.want):
			t.Errorf("%s: %q has nothing of %q", c.what, found, c.want)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nvar f, g = time.Now, time.Unix", parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if reads := clockReads(file); len(reads) != 1 {
		t.Errorf("%d reads of the wall clock found, want 1", len(reads))
	}
}

// breaches says what a package imports that it must not.
func breaches(p *listedPackage) []string {
	name := p.name()
	r, ok := rooms[name]
	if !ok {
		return []string{fmt.Sprintf("%s is not in the table of floors_test.go: give it a floor", name)}
	}
	var found []string
	for _, path := range p.Imports {
		other, ours := strings.CutPrefix(path, module+"/")
		if ours && rooms[other].floor >= r.floor {
			found = append(found, fmt.Sprintf("%s (floor %d) imports %s (floor %d): only lower floors may be imported",
				name, r.floor, other, rooms[other].floor))
		}
		for _, only := range onlyImporters {
			if within(path, only.path) && !slices.Contains(only.who, name) {
				found = append(found, fmt.Sprintf("%s imports %s, which only %s may: %s",
					name, path, strings.Join(only.who, ", "), only.why))
			}
		}
	}
	for _, b := range r.bans {
		reached := p.Imports
		if !b.direct {
			reached = slices.Concat(p.Imports, p.Deps)
		}
		for _, path := range reached {
			if slices.ContainsFunc(b.paths, func(banned string) bool { return within(path, banned) }) {
				found = append(found, fmt.Sprintf("%s reaches %s: %s", name, path, b.why))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// within reports whether path is banned or lies below it, version suffixes of modules included. Everything lies
// within the empty path. A package of the standard library has nothing below it.
func within(path, banned string) bool {
	if banned == "" || path == banned {
		return true
	}
	first, _, _ := strings.Cut(banned, "/")
	return strings.Contains(first, ".") && strings.HasPrefix(path, banned+"/")
}

// clockReads finds mentions of time.Now, time.Since and time.Until, called or not.
func clockReads(file *ast.File) []token.Pos {
	var found []token.Pos
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			x, ok := s.X.(*ast.Ident)
			if ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, s.Sel.Name) {
				found = append(found, s.Pos())
			}
		}
		return true
	})
	return found
}

// listPackages asks the go command for the packages of the module.
func listPackages(t *testing.T) []*listedPackage {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", "./...")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []*listedPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listedPackage)
		if err := decoder.Decode(p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
