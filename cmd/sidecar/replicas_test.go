// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
	"github.com/ltisidecar/ltisidecar/testservers"
)

const sharedSecret = "2b0e3f8c5d7a9146e1f0c8b7a6d5e4f3"

// newReplica makes the home of a sidecar over a shared store.
func newReplica(t *testing.T, more string) *home {
	t.Helper()
	h := newHome(t)
	h.write("shared.secret", sharedSecret+"\n")
	h.write("encryption.key", "0f1e2d3c4b5a69788796a5b4c3d2e1f0\n")
	h.configure(more)
	return h
}

// copyKeys gives a sidecar the key files of another.
func copyKeys(t *testing.T, from, to *home) {
	t.Helper()
	check(t, os.Mkdir(to.path("keys"), 0o700))
	files, err := filepath.Glob(from.path("keys/to*"))
	check(t, err)
	if len(files) < 2 {
		t.Fatalf("key files: %q", files)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		check(t, err)
		to.write("keys/"+filepath.Base(file), string(content))
	}
}

func keySet(t *testing.T, h *home) string {
	t.Helper()
	answer, err := pb.NewKeyServiceClient(h).GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{})
	check(t, err)
	return answer.GetJwks()
}

// crossLaunches takes two sidecars over one store through what they must do together. lose makes the store forget.
func crossLaunches(t *testing.T, one, two *home, first, second *process, lose func()) {
	t.Helper()
	if keySet(t, one) != keySet(t, two) {
		t.Fatal("the sidecars have different tool keys")
	}
	accepted := func(a *attempt, h *home) {
		t.Helper()
		if _, err := a.at(h); err != nil {
			t.Fatalf("a login is refused at the other sidecar: %v", err)
		}
	}
	for range 3 {
		a := one.begin("moodle")
		accepted(a, two)
		_, err := a.at(one)
		refused(t, err, lti.ReasonNonceReplayed)
		_, err = a.at(two)
		refused(t, err, lti.ReasonNonceReplayed)
		accepted(two.begin("canvas"), one)
	}

	// A rolling restart loses no login, whether clean or not.
	a, b := one.begin("moodle"), one.begin("canvas")
	first.stop()
	accepted(a, two)
	first = one.serve()
	accepted(b, one)
	c, d := two.begin("moodle"), one.begin("moodle")
	second.kill()
	accepted(c, one)
	second = two.serve()
	accepted(d, two)
	_, err := c.at(two)
	refused(t, err, lti.ReasonNonceReplayed)

	// What was begun before a loss is refused everywhere, and what begins after it is accepted everywhere, at once.
	used, begun := one.begin("canvas"), two.begin("canvas")
	accepted(used, two)
	lose()
	for _, a := range []*attempt{used, begun} {
		for _, h := range []*home{one, two} {
			_, err := a.at(h)
			refused(t, err, lti.ReasonStateStale, lti.ReasonStoreUnavailable)
		}
	}
	deadline := time.Now().Add(patience)
	fresh := two.begin("moodle")
	for {
		if _, err := fresh.at(two); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the store does not come back: %v", err)
		}
		fresh = two.begin("moodle")
	}
	accepted(two.begin("moodle"), one)
	_, err = used.at(one)
	refused(t, err, lti.ReasonStateStale)
	first.stop()
	second.stop()
	for _, p := range []*process{first, second} {
		for _, secret := range []string{sharedSecret, "0f1e2d3c4b5a69788796a5b4c3d2e1f0"} {
			if strings.Contains(p.log.String(), secret) {
				t.Error("a secret is in the log")
			}
		}
	}
}

func TestReplicasOverRedis(t *testing.T) {
	redis := testservers.StartRedis(t, "--requirepass", "right/word")
	more := fmt.Sprintf("store: {url: %q, password_file: redis.password, secret_file: shared.secret}\n", redis.URL())
	one, two := newReplica(t, more), newReplica(t, more)
	one.write("redis.password", "right/word\n")
	two.write("redis.password", "right/word\n")
	first := one.serve()
	copyKeys(t, one, two)
	second := two.serve()
	code, output := one.run("store", "check")
	if code != 0 {
		t.Errorf("store check: exit %d", code)
	}
	contains(t, output, "used launches in Redis", "primary with 0 replicas", "noeviction", "with our shared secret", "store: ok")
	crossLaunches(t, one, two, first, second, func() {
		redis.Kill()
		redis.Restart()
	})
	redis.Auth("right/word").Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	code, output = two.run("store", "check")
	if code == 0 {
		t.Error("store check accepts a server that evicts")
	}
	contains(t, output, "wrong: it may evict", "set noeviction")
	code, output = two.run("serve")
	if code == 0 {
		t.Error("it serves over a server that evicts")
	}
	contains(t, output, "maxmemory-policy", "noeviction", "managed service")
}

func TestReplicasOverPostgres(t *testing.T) {
	server := testservers.StartPostgres(t)
	more := fmt.Sprintf("store: {url: %q, secret_file: shared.secret, name: quiz}\nkeys: {encryption_key_file: encryption.key}\n", server.URL())
	one, two := newReplica(t, more), newReplica(t, more)
	first := one.serve()
	second := two.serve()
	code, output := one.run("store", "check")
	if code == 0 {
		t.Error("store check accepts a server with fsync off")
	}
	contains(t, output, "all in PostgreSQL", "it is a primary", "with our shared secret", "wrong: it does not write to disk")
	crossLaunches(t, one, two, first, second, func() {
		server.Kill()
		server.Restart()
	})

	// Whoever has the database has no keys without the file, and a lost database is not replaced silently.
	two.write("encryption.key", "another key that has 32 bytes or more")
	code, output = two.run("serve")
	if code == 0 {
		t.Error("it serves with another encryption key")
	}
	contains(t, output, "keys.encryption_key_file", "keys.former_encryption_key_file")
	server.Do("DROP SCHEMA quiz CASCADE")
	code, output = one.run("serve")
	if code == 0 {
		t.Error("it serves over an empty database as if nothing had been")
	}
	contains(t, output, "are gone", "--accept-loss")
	one.serve("--accept-loss").stop()
}

// TestReplicasStartAtOnce has several new sidecars make one installation.
func TestReplicasStartAtOnce(t *testing.T) {
	server := testservers.StartPostgres(t)
	more := fmt.Sprintf("store: {url: %q, secret_file: shared.secret}\nkeys: {encryption_key_file: encryption.key}\n", server.URL())
	const sidecars = 4
	homes := make([]*home, sidecars)
	for i := range homes {
		homes[i] = newReplica(t, more)
	}
	processes := make([]*process, sidecars)
	for i, h := range homes {
		processes[i] = h.start()
	}
	for i, h := range homes {
		h.answers()
		if keySet(t, h) != keySet(t, homes[0]) {
			t.Errorf("sidecar %d has other keys", i)
		}
	}
	a := homes[0].begin("moodle")
	if _, err := a.at(homes[sidecars-1]); err != nil {
		t.Error(err)
	}
	for _, p := range processes {
		p.stop()
	}
}

// TestOutboxOutlivesItsSidecar kills the sidecar that took a score which the platform did not take yet: another one
// delivers it, once.
func TestOutboxOutlivesItsSidecar(t *testing.T) {
	server := testservers.StartPostgres(t)
	more := fmt.Sprintf("store: {url: %q, secret_file: shared.secret}\nkeys: {encryption_key_file: encryption.key}\n", server.URL())
	one, two := newReplica(t, more), newReplica(t, more)
	first, second := one.serve(), two.serve()
	canvas := sim.Platform("canvas")
	check(t, canvas.SetTool(platformsim.ToolConfig{Name: "quiz", LoginURI: loginURI, LaunchURIs: []string{launchURI}, JWKS: keySet(t, one)}))
	_, l := one.launch("canvas")
	posted := func() (stored int) {
		for _, request := range canvas.ScoreRequests() {
			if request.Stored && strings.Contains(string(request.Body), "outlives its sidecar") {
				stored++
			}
		}
		return stored
	}
	check(t, canvas.SetFault(platformsim.FaultSetting{Fault: platformsim.FaultServiceUnavailable, Sticky: true}))
	t.Cleanup(canvas.ClearFaults)
	five, ten := 5.0, 10.0
	request := &pb.PostScoreRequest{Endpoint: l.Grades, RequestId: "outlives",
		Score: &pb.Score{UserId: l.User.Id, ScoreGiven: &five, ScoreMaximum: &ten, Comment: "outlives its sidecar"}}
	answer, err := pb.NewGradeServiceClient(one).PostScore(t.Context(), request)
	check(t, err)
	if state := answer.GetDelivery().GetState(); state != pb.DeliveryState_DELIVERY_STATE_QUEUED {
		t.Fatalf("the delivery is %s", state)
	}
	first.kill()
	canvas.ClearFaults()
	for begun := time.Now(); ; {
		again, err := pb.NewGradeServiceClient(two).PostScore(t.Context(), request) // a repeat of the request changes nothing
		check(t, err)
		if again.GetDelivery().GetDeliveryId() != answer.GetDelivery().GetDeliveryId() {
			t.Fatal("the request was taken for another one")
		}
		if again.GetDelivery().GetState() == pb.DeliveryState_DELIVERY_STATE_DELIVERED {
			break
		}
		if time.Since(begun) > 2*patience {
			t.Fatalf("the delivery stays %s", again.GetDelivery().GetState())
		}
	}
	if stored := posted(); stored != 1 {
		t.Errorf("the platform took the score %d times", stored)
	}
	second.stop()
}

func TestEmbeddedStoreCheck(t *testing.T) {
	code, output := newHome(t).run("store", "check")
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	contains(t, output, "for one sidecar alone", "STATE_OTHER_INSTANCE", "set store.url", "store: ok")
}
