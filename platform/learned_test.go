// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

func openRecords(t *testing.T, path string) *boltstore.Store {
	t.Helper()
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func newLearned(t *testing.T, store records.Store) *platform.Learned {
	t.Helper()
	learned, err := platform.NewLearned(platform.LearnedConfig{Store: store, Now: func() time.Time { return time.Unix(1_900_000_000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return learned
}

// fresh returns a Learned over a new store.
func fresh(t *testing.T) (*platform.Learned, *boltstore.Store) {
	t.Helper()
	store := openRecords(t, filepath.Join(t.TempDir(), "records.db"))
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return newLearned(t, store), store
}

func TestDeploymentPolicies(t *testing.T) {
	t.Parallel()
	learned, store := fresh(t)
	for _, test := range []struct {
		policy     platform.UnknownDeployments
		deployment string
		want       lti.Reason
	}{
		{"", "d1", ""}, {"", "d2", lti.ReasonDeploymentUnknown}, {"", "D1", lti.ReasonDeploymentUnknown}, {"", "", lti.ReasonDeploymentUnknown},
		{platform.RejectDeployments, "d1", ""}, {platform.RejectDeployments, "d2", lti.ReasonDeploymentUnknown},
		{platform.PendDeployments, "d1", ""}, {platform.PendDeployments, "d2", lti.ReasonDeploymentPending},
		{platform.AcceptDeployments, "d1", ""}, {platform.AcceptDeployments, "d2", ""},
		{"nonsense", "d2", lti.ReasonDeploymentUnknown},
	} {
		r := registration(func(r *platform.Registration) { r.UnknownDeployments = test.policy })
		if err := learned.CheckDeployment(t.Context(), &r, test.deployment, false); lti.ReasonOf(err) != test.want || test.want == "" && err != nil {
			t.Errorf("%q %q: %v, want %q", test.policy, test.deployment, err, test.want)
		}
	}
	if waiting, err := store.List(t.Context(), "pending", "", 10); err != nil || len(waiting) != 0 {
		t.Errorf("noted without a verified signature: %v %v", waiting, err)
	}
}

func TestPendingDeploymentsAreNotedOnce(t *testing.T) {
	t.Parallel()
	learned, store := fresh(t)
	r := registration(func(r *platform.Registration) { r.UnknownDeployments = platform.PendDeployments })
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			if err := learned.CheckDeployment(t.Context(), &r, fmt.Sprint("new-", i%2), true); lti.ReasonOf(err) != lti.ReasonDeploymentPending {
				t.Error(err)
			}
		})
	}
	group.Wait()
	waiting, err := store.List(t.Context(), "pending", "", 10)
	if err != nil || len(waiting) != 2 || waiting[0].Version != 1 || waiting[1].Version != 1 {
		t.Fatalf("%v %v", waiting, err)
	}
	r.Deployments = append(r.Deployments, "new-1") // the operator approves it
	if err := learned.CheckDeployment(t.Context(), &r, "new-1", true); err != nil {
		t.Error(err)
	}
}

// fullStore is a records.Store that already has a thousand documents of every kind.
type fullStore struct {
	records.Store
	puts int
}

func (s *fullStore) List(_ context.Context, _, _ string, limit int) ([]records.Document, error) {
	return make([]records.Document, limit), nil
}

func (s *fullStore) Put(ctx context.Context, document records.Document) (uint64, error) {
	s.puts++
	return s.Store.Put(ctx, document)
}

func TestPendingDeploymentsAreLimited(t *testing.T) {
	t.Parallel()
	_, store := fresh(t)
	full := &fullStore{Store: store}
	r := registration(func(r *platform.Registration) { r.UnknownDeployments = platform.PendDeployments })
	if err := newLearned(t, full).CheckDeployment(t.Context(), &r, "new", true); lti.ReasonOf(err) != lti.ReasonDeploymentPending || full.puts != 0 {
		t.Errorf("%v, %d noted", err, full.puts)
	}
}

const (
	foreign = "https://services.example"
	another = "https://another.example"
)

// allowed says which of the URIs a service token may go to.
func allowed(t *testing.T, learned *platform.Learned, r *platform.Registration, deployment string, uris ...string) (list []string) {
	t.Helper()
	for _, uri := range uris {
		switch err := learned.CheckOrigin(t.Context(), r, deployment, uri); {
		case err == nil:
			list = append(list, uri)
		case lti.ReasonOf(err) != lti.ReasonServiceOriginPending:
			t.Errorf("%s: %v", uri, err)
		}
	}
	return list
}

func learn(t *testing.T, learned *platform.Learned, r *platform.Registration, deployment, family string, uris ...string) {
	t.Helper()
	if err := learned.Learn(t.Context(), r, deployment, family, uris...); err != nil {
		t.Fatal(err)
	}
}

func TestOwnOriginsNeedNoLearning(t *testing.T) {
	t.Parallel()
	learned, store := fresh(t)
	r := registration(func(r *platform.Registration) { r.ServiceOrigins = []string{another} })
	own := []string{"https://lms.example/scores", "https://LMS.example:443/x?y", "https://keys.lms.example/", another + "/roster"}
	if got := allowed(t, learned, &r, "d1", own...); !slices.Equal(got, own) {
		t.Errorf("allowed are %q", got)
	}
	for _, uri := range []string{foreign, "https://lms.example:8443/", "https://sub.lms.example/", "https://lms.example.evil.example/", "https://tool.example/"} {
		if err := learned.CheckOrigin(t.Context(), &r, "d1", uri); lti.ReasonOf(err) != lti.ReasonServiceOriginPending {
			t.Errorf("%s: %v", uri, err)
		}
	}
	for _, uri := range []string{"", "http://lms.example/", "https://user@lms.example/", "lms.example", `https://lms.example\@evil.example`} {
		if err := learned.CheckOrigin(t.Context(), &r, "d1", uri); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
			t.Errorf("%s: %v", uri, err)
		}
	}
	learn(t, learned, &r, "d1", "", own...)
	if kept, err := store.List(t.Context(), "deployment", "", 10); err != nil || len(kept) != 0 {
		t.Errorf("written although nothing is new: %v %v", kept, err)
	}
}

func TestFirstForeignOriginIsLearned(t *testing.T) {
	t.Parallel()
	learned, store := fresh(t)
	r := registration()
	learn(t, learned, &r, "d1", "", "", "http://plain.example/x", "nonsense", "https://lms.example/x", foreign+"/a", foreign+"/b", another+"/c")
	if got := allowed(t, learned, &r, "d1", foreign+"/any", another+"/c", "https://plain.example/x"); !slices.Equal(got, []string{foreign + "/any"}) {
		t.Errorf("allowed are %q", got)
	}
	learn(t, learned, &r, "d1", "", another+"/c")
	if got := allowed(t, learned, &r, "d1", foreign, another); !slices.Equal(got, []string{foreign}) {
		t.Errorf("after a second launch: %q", got)
	}
	if kept, err := store.List(t.Context(), "deployment", "", 10); err != nil || len(kept) != 1 || kept[0].Version != 1 {
		t.Errorf("%v %v", kept, err)
	}
	// What one deployment taught counts for no other, nor for another client id.
	if got := allowed(t, learned, &r, "d2", foreign); got != nil {
		t.Error("another deployment")
	}
	other := registration(func(r *platform.Registration) { r.ClientID = "client-2" })
	if got := allowed(t, learned, &other, "d1", foreign); got != nil {
		t.Error("another client id")
	}
	// It does count where the registration has another name.
	renamed := registration(func(r *platform.Registration) { r.Name = "renamed" })
	if got := allowed(t, learned, &renamed, "d1", foreign); len(got) != 1 {
		t.Error("the renamed registration")
	}
	origins, err := learned.Origins(t.Context(), &r, "d1")
	if want := []string{"https://lms.example", "https://keys.lms.example", foreign}; err != nil || !slices.Equal(origins, want) {
		t.Errorf("%q %v", origins, err)
	}
}

// TestSharedClientsTeachNothing uses dialects whose client id serves many customers: one customer's launch must not bind
// the others' tokens to its host.
func TestSharedClientsTeachNothing(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"blackboard", "schoology"} {
		learned, _ := fresh(t)
		r := registration(func(r *platform.Registration) { r.Dialect = dialect })
		learn(t, learned, &r, "d1", "", foreign+"/a")
		if got := allowed(t, learned, &r, "d1", foreign+"/a"); got != nil {
			t.Errorf("%s: %q", dialect, got)
		}
	}
}

func TestMakersHosts(t *testing.T) {
	t.Parallel()
	learned, _ := fresh(t)
	r := registration(func(r *platform.Registration) { r.Dialect = "canvas" })
	if got := allowed(t, learned, &r, "d1", "https://school.instructure.com/api"); len(got) != 1 {
		t.Error("a host of the maker")
	}
	for _, uri := range []string{"https://instructure.com.evil.example/", "https://evilinstructure.com/", "https://instructure.com/", "https://school.instructure.com:8443/"} {
		if got := allowed(t, learned, &r, "d1", uri); got != nil {
			t.Errorf("%s is allowed", uri)
		}
	}
	if err := learned.CheckOrigin(t.Context(), &r, "d1", "https://.instructure.com/"); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
		t.Errorf("an empty label: %v", err)
	}
	// The maker's host takes not the place of the one foreign origin.
	learn(t, learned, &r, "d1", "", "https://school.instructure.com/api", foreign)
	if got := allowed(t, learned, &r, "d1", foreign); len(got) != 1 {
		t.Error("the foreign origin was not learned")
	}
	plain := registration(func(r *platform.Registration) { r.ClientID = "client-2" })
	if got := allowed(t, learned, &plain, "d1", "https://school.instructure.com/api"); got != nil {
		t.Error("a maker's host without its dialect")
	}
}

func TestProductIsSticky(t *testing.T) {
	t.Parallel()
	learned, _ := fresh(t)
	r := registration()
	dialect := func(r *platform.Registration) string {
		t.Helper()
		d, err := learned.Dialect(t.Context(), r, "d1")
		if err != nil {
			t.Fatal(err)
		}
		return d.Name
	}
	if got := dialect(&r); got != "" {
		t.Errorf("before any launch: %q", got)
	}
	learn(t, learned, &r, "d1", "moodle")
	learn(t, learned, &r, "d1", "canvas")
	if got := dialect(&r); got != "moodle" {
		t.Errorf("%q", got)
	}
	configured := registration(func(r *platform.Registration) { r.Dialect = "canvas" })
	if got := dialect(&configured); got != "canvas" {
		t.Errorf("the configured one does not win: %q", got)
	}
}

func TestLearnedSurvivesRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	r := registration()
	store := openRecords(t, path)
	learn(t, newLearned(t, store), &r, "d1", "moodle", foreign)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := newLearned(t, store).CheckOrigin(t.Context(), &r, "d1", foreign); lti.ReasonOf(err) != lti.ReasonStoreUnavailable {
		t.Errorf("with a closed store: %v", err)
	}
	if err := newLearned(t, store).Learn(t.Context(), &r, "d1", "", foreign); err == nil {
		t.Error("learned in a closed store")
	}
	store = openRecords(t, path)
	defer store.Close()
	learned := newLearned(t, store)
	if got := allowed(t, learned, &r, "d1", foreign, another); !slices.Equal(got, []string{foreign}) {
		t.Errorf("allowed are %q", got)
	}
	if dialect, err := learned.Dialect(t.Context(), &r, "d1"); err != nil || dialect.Name != "moodle" {
		t.Error(dialect, err)
	}
}

// Of launches that come together with different origins, one decides.
func TestConcurrentLearning(t *testing.T) {
	t.Parallel()
	learned, _ := fresh(t)
	r := registration()
	var group sync.WaitGroup
	var uris []string
	for i := range 16 {
		uri := fmt.Sprintf("https://s%d.example", i)
		uris = append(uris, uri)
		group.Go(func() {
			if err := learned.Learn(t.Context(), &r, "d1", "canvas", uri); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := allowed(t, learned, &r, "d1", uris...); len(got) != 1 {
		t.Errorf("learned were %q", got)
	}
}

func TestDamagedRecordFailsClosed(t *testing.T) {
	t.Parallel()
	learned, store := fresh(t)
	r := registration()
	learn(t, learned, &r, "d1", "", foreign)
	kept, err := store.List(t.Context(), "deployment", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	kept[0].Value = []byte("{")
	if _, err := store.Put(t.Context(), kept[0]); err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{foreign, "https://lms.example/"} {
		if err := learned.CheckOrigin(t.Context(), &r, "d1", uri); lti.ReasonOf(err) != lti.ReasonStoreUnavailable {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if _, err := learned.Dialect(t.Context(), &r, "d1"); lti.ReasonOf(err) != lti.ReasonStoreUnavailable {
		t.Error(err)
	}
}

// TestLearnForgetsWhatItLookedUp: what told nothing new is not looked up again for a minute, and then it is.
func TestLearnForgetsWhatItLookedUp(t *testing.T) {
	t.Parallel()
	store := openRecords(t, filepath.Join(t.TempDir(), "records.db"))
	now := time.Unix(1_900_000_000, 0)
	learned, err := platform.NewLearned(platform.LearnedConfig{Store: store, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	r := &platform.Registration{Name: "lms", Issuer: "https://lms.example", ClientID: "c", TokenURI: "https://lms.example/token", Dialect: "canvas"}
	ctx := t.Context()
	tell := func(uris ...string) error { return learned.Learn(ctx, r, "d1", "", uris...) }
	// What an unusable URI told says nothing of a usable one of the same host.
	if err := tell("https://files.example/%zz"); err != nil {
		t.Fatal(err)
	}
	if err := tell("https://files.example/1"); err != nil {
		t.Fatal(err)
	}
	if origins, err := learned.Origins(ctx, r, "d1"); err != nil || !slices.Contains(origins, "https://files.example") {
		t.Fatalf("origins %q, %v", origins, err)
	}
	if err := tell("https://files.example/2"); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	// The store is gone: only what needs it fails.
	if err := tell("https://files.example/3?x"); err != nil {
		t.Errorf("the same origin again: %v", err)
	}
	if err := tell("https://files.example:8443/3"); err == nil {
		t.Error("another port was not looked up")
	}
	if err := learned.Learn(ctx, r, "d2", "", "https://files.example/3"); err == nil {
		t.Error("another deployment was not looked up")
	}
	now = now.Add(time.Minute)
	if err := tell("https://files.example/3"); err == nil {
		t.Error("after a minute nothing was looked up")
	}
}
