// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// crowd enters launches into an admission and remembers in which order they were admitted or refused.
type crowd struct {
	*admission
	t *testing.T

	mutex    sync.Mutex
	admitted []string
	refused  map[string]lti.Reason
	leaves   map[string]func()
}

func newCrowd(t *testing.T, slots, places int) *crowd {
	a := newAdmission(time.Now)
	a.slots, a.places = slots, places
	return &crowd{admission: a, t: t, refused: map[string]lti.Reason{}, leaves: map[string]func(){}}
}

// come sends a launch of a share, and returns once it was admitted, refused, or waits.
func (c *crowd) come(ctx context.Context, registration string, number int) {
	name := fmt.Sprintf("%s%d", registration, number)
	go func() {
		leave, err := c.enter(ctx, share{"local", registration})
		c.mutex.Lock()
		defer c.mutex.Unlock()
		if err != nil {
			c.refused[name] = lti.ReasonOf(err)
			return
		}
		c.admitted = append(c.admitted, name)
		c.leaves[name] = leave
	}()
	synctest.Wait()
}

// finish ends launches that run.
func (c *crowd) finish(names ...string) {
	for _, name := range names {
		c.mutex.Lock()
		leave := c.leaves[name]
		delete(c.leaves, name)
		c.mutex.Unlock()
		leave()
		synctest.Wait()
	}
}

// finishAll ends all that run, until none does and nobody is left.
func (c *crowd) finishAll() {
	c.t.Helper()
	for len(c.leaves) > 0 {
		for name := range c.leaves {
			c.finish(name)
		}
	}
	if c.running != 0 || c.waiting != 0 || len(c.shares) != 0 || len(c.turns) != 0 {
		c.t.Errorf("left over: %d running, %d waiting, %d shares, %d turns", c.running, c.waiting, len(c.shares), len(c.turns))
	}
}

func (c *crowd) want(admitted ...string) {
	c.t.Helper()
	if !slices.Equal(c.admitted, admitted) {
		c.t.Errorf("admitted %q, want %q", c.admitted, admitted)
	}
}

// TestAdmissionGoesAround: a share that came with many waits behind itself, and one share never has all slots.
func TestAdmissionGoesAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 4, 100)
		ctx := t.Context()
		for i := range 6 {
			c.come(ctx, "a", i)
		}
		c.want("a0", "a1") // half of the slots
		c.come(ctx, "b", 0)
		c.come(ctx, "b", 1)
		c.want("a0", "a1", "b0", "b1")
		c.come(ctx, "b", 2)
		c.come(ctx, "c", 0)
		c.finish("a0") // a has the turn
		c.want("a0", "a1", "b0", "b1", "a2")
		c.finish("a1") // then b, but that has its two; then c
		c.want("a0", "a1", "b0", "b1", "a2", "c0")
		c.finish("b0") // it is a's turn again, and b's after that
		c.want("a0", "a1", "b0", "b1", "a2", "c0", "a3")
		c.finish("c0")
		c.want("a0", "a1", "b0", "b1", "a2", "c0", "a3", "b2")
		c.finishAll()
		if len(c.admitted) != 10 || len(c.refused) != 0 {
			t.Errorf("admitted %q, refused %v", c.admitted, c.refused)
		}
	})
}

// TestAdmissionSheds: beyond the places to wait, the share with the most gives one up, its newest.
func TestAdmissionSheds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 3)
		for i := range 5 {
			c.come(t.Context(), "a", i) // one runs, three wait, and the last has no place
		}
		if want := map[string]lti.Reason{"a4": lti.ReasonOverloaded}; fmt.Sprint(c.refused) != fmt.Sprint(want) {
			t.Fatalf("refused %v", c.refused)
		}
		c.come(t.Context(), "b", 0) // runs
		c.come(t.Context(), "b", 1) // takes the place of a3
		c.come(t.Context(), "b", 2) // b would have as many as a
		if want := map[string]lti.Reason{"a4": lti.ReasonOverloaded, "a3": lti.ReasonOverloaded, "b2": lti.ReasonOverloaded}; fmt.Sprint(c.refused) != fmt.Sprint(want) {
			t.Fatalf("refused %v", c.refused)
		}
		c.finishAll()
		if len(c.admitted) != 5 {
			t.Errorf("admitted %q", c.admitted)
		}
	})
}

// TestAdmissionRespectsDeadlines: who would come too late is told at once, and who is gone takes no slot.
func TestAdmissionRespectsDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 100)
		c.took = time.Second
		for i := range 3 {
			c.come(t.Context(), "a", i)
		}
		c.want("a0") // and two wait, half a second each
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.come(short, "b", 0) // runs
		c.come(short, "b", 1) // is expected to wait 1.5 s
		if c.refused["b1"] != lti.ReasonOverloaded {
			t.Errorf("refused %v", c.refused)
		}
		for i := 3; i < 5; i++ {
			c.come(t.Context(), "a", i) // 1.5 s and 2 s: nobody is made to wait for longer
		}
		c.come(t.Context(), "a", 5)
		if c.refused["a5"] != lti.ReasonOverloaded || len(c.refused) != 2 {
			t.Errorf("refused %v", c.refused)
		}
		c.finishAll()
	})
}

// TestAdmissionForgetsWhoIsGone: contexts that end while their launches wait.
func TestAdmissionForgetsWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 100)
		ctx, cancel := context.WithCancel(t.Context())
		late, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		c.come(t.Context(), "a", 0)
		c.come(ctx, "a", 1)
		c.come(late, "a", 2)
		c.come(t.Context(), "a", 3)
		cancel()
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		if want := map[string]lti.Reason{"a1": lti.ReasonCanceled, "a2": lti.ReasonDeadlineExceeded}; fmt.Sprint(c.refused) != fmt.Sprint(want) {
			t.Errorf("refused %v", c.refused)
		}
		c.finish("a0")
		c.want("a0", "a3")
		c.finishAll()
	})
}

// TestAdmissionSaysWhenToComeBack holds the refusal to its reason and its advice.
func TestAdmissionSaysWhenToComeBack(t *testing.T) {
	a := newAdmission(time.Now)
	a.slots, a.took = 2, 10*time.Second
	leave, err := a.enter(t.Context(), share{"local", "a"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.enter(t.Context(), share{"local", "a"})
	var refusal *lti.Error
	if !errors.As(err, &refusal) || refusal.Reason != lti.ReasonOverloaded || refusal.RetryAfter != 5*time.Second {
		t.Errorf("%+v", err)
	}
	leave()
	if _, err := a.enter(t.Context(), share{"local", "a"}); err != nil {
		t.Errorf("with a free slot: %v", err)
	}
}
