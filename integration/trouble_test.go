// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/platformsim"
	ltisidecarv1 "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// TestRosterTrouble has a platform answer wrongly in each way that the simulator knows. A roster is then an error with
// its reason and never short, and the next one is whole.
func TestRosterTrouble(t *testing.T) {
	c := newCampus(t, buildSidecar(t), map[string]platformsim.PlatformConfig{"canvas": {}})
	canvas := c.sim.Platform("canvas")
	endpoint := c.launch(t, "canvas", "student").GetMemberships()
	for _, trouble := range []struct {
		fault  platformsim.Fault
		value  string
		reason string // empty: the roster comes whole all the same
	}{
		{platformsim.FaultServiceHTML, "", "PLATFORM_ANSWER_INVALID"},
		{platformsim.FaultServiceRedirect, "", "SERVICE_REFUSED"},
		{platformsim.FaultServiceRedirect, "https://elsewhere.example.net/", "SERVICE_REFUSED"},
		{platformsim.FaultServiceGzipBomb, "128", "PLATFORM_ANSWER_INVALID"},
		{platformsim.FaultForeignNext, "", "PLATFORM_ANSWER_INVALID"},
		{platformsim.FaultNextLoops, "", "PLATFORM_ANSWER_INVALID"},
		{platformsim.FaultServiceStatus, "500", "PLATFORM_UNAVAILABLE"},
		{platformsim.FaultServiceStatus, "404", "SERVICE_REFUSED"},
		{platformsim.FaultServiceUnavailable, "", "PLATFORM_UNAVAILABLE"},
		{platformsim.FaultRateLimited, "", "PLATFORM_THROTTLED"},
		{platformsim.FaultThrottled, "", "PLATFORM_THROTTLED"},
		{platformsim.FaultServiceBadStatus, "", "PLATFORM_UNREACHABLE"},
		{platformsim.FaultAnswerLost, "", "PLATFORM_UNREACHABLE"},
		{platformsim.FaultServiceSlowBody, "200ms", ""},
		{platformsim.FaultAnswerLate, "100ms", ""},
		{platformsim.FaultTokenRejected, "", "SERVICE_REFUSED"},
	} {
		t.Run(strings.TrimSpace(string(trouble.fault)+" "+trouble.value), func(t *testing.T) {
			setting := platformsim.FaultSetting{Fault: trouble.fault, Value: trouble.value, Sticky: true, Endpoint: platformsim.EndpointRoster}
			if trouble.fault == platformsim.FaultTokenRejected {
				setting.Endpoint = ""
			}
			if err := canvas.SetFault(setting); err != nil {
				t.Fatal(err)
			}
			count, whole, err := c.readRoster(t, endpoint)
			canvas.ClearFaults()
			switch {
			case trouble.reason == "" && (err != nil || count != profileRoster || !whole):
				t.Errorf("%d members, whole %t, %v; want all of them", count, whole, err)
			case trouble.reason != "":
				if whole {
					t.Error("the stream says that the roster is whole")
				}
				if err == nil {
					t.Fatal("no error")
				}
				if reason, _ := reasonOf(t, err); reason != trouble.reason {
					t.Errorf("%v, want %s", err, trouble.reason)
				}
			}
			if count, whole, err := c.readRoster(t, endpoint); err != nil || count != profileRoster || !whole {
				t.Errorf("afterwards %d members, whole %t, %v", count, whole, err)
			}
		})
	}
}

// readRoster reads a roster as far as it comes.
func (c *campus) readRoster(t *testing.T, endpoint *ltisidecarv1.MembershipEndpoint) (count int, whole bool, err error) {
	t.Helper()
	stream := must(c.rosters.ListMembers(t.Context(), &ltisidecarv1.ListMembersRequest{Endpoint: endpoint}))(t)
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return count, whole, nil
		}
		if err != nil {
			return count, whole, err
		}
		count += len(message.GetBatch().GetMembers())
		whole = whole || message.GetEnd() != nil
	}
}
