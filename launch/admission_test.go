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

// TestAdmissionGoesAround: a share that came with many waits behind itself, and has no more than half of the slots while
// others wait.
func TestAdmissionGoesAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 4, 100)
		for i := range 6 {
			c.come(t.Context(), "a", i)
		}
		c.want("a0", "a1", "a2", "a3") // nobody else is there
		for i := range 3 {
			c.come(t.Context(), "b", i)
		}
		c.come(t.Context(), "c", 0)
		c.finish("a0") // a has more than its half
		c.want("a0", "a1", "a2", "a3", "b0")
		c.finish("a1")
		c.want("a0", "a1", "a2", "a3", "b0", "c0")
		c.finish("a2") // and now less
		c.want("a0", "a1", "a2", "a3", "b0", "c0", "a4")
		c.finish("a3")
		c.want("a0", "a1", "a2", "a3", "b0", "c0", "a4", "b1")
		c.finishAll()
		if len(c.admitted) != 10 || len(c.refused) != 0 {
			t.Errorf("admitted %q, refused %v", c.admitted, c.refused)
		}
	})
}

// TestAdmissionSheds: beyond the places to wait, the share with the most gives one up, its oldest.
func TestAdmissionSheds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 3)
		for i := range 6 {
			c.come(t.Context(), "a", i) // two work, three wait, and the last has no place
		}
		c.come(t.Context(), "b", 0) // takes the place of a2
		c.come(t.Context(), "b", 1) // b would have as many as a
		want := map[string]lti.Reason{"a5": lti.ReasonOverloaded, "a2": lti.ReasonOverloaded, "b1": lti.ReasonOverloaded}
		if fmt.Sprint(c.refused) != fmt.Sprint(want) {
			t.Fatalf("refused %v", c.refused)
		}
		c.finishAll()
		if len(c.admitted) != 5 {
			t.Errorf("admitted %q", c.admitted)
		}
	})
}

// TestAdmissionTakesTheNewest: beyond a burst, the oldest are those whose callers give up next.
func TestAdmissionTakesTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 1, 100)
		for i := range 7 {
			c.come(t.Context(), "a", i) // one works, six wait; a burst is four
		}
		c.finish("a0")
		c.finish("a6")
		c.finish("a5")
		c.want("a0", "a6", "a5", "a1")
		c.finishAll()
	})
}

// TestAdmissionRespectsDeadlines: whose time is not enough any more takes no slot.
func TestAdmissionRespectsDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 1, 100)
		c.took = time.Second
		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c.come(t.Context(), "a", 0)
		c.come(short, "a", 1)
		c.come(t.Context(), "a", 2)
		time.Sleep(3500 * time.Millisecond)
		c.finish("a0") // 1.5 s are left, and a launch takes one
		if c.refused["a1"] != lti.ReasonOverloaded {
			t.Errorf("refused %v", c.refused)
		}
		c.want("a0", "a2")
		c.finishAll()
	})
}

// TestAdmissionForgetsWhoIsGone: contexts that end while their launches wait.
func TestAdmissionForgetsWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 1, 100)
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
	a.slots, a.places = 1, 0
	leave, err := a.enter(t.Context(), share{"local", "a"})
	if err != nil {
		t.Fatal(err)
	}
	var refusal *lti.Error
	if _, err = a.enter(t.Context(), share{"local", "a"}); !errors.As(err, &refusal) || refusal.Reason != lti.ReasonOverloaded || refusal.RetryAfter != time.Second {
		t.Errorf("%+v", err)
	}
	leave()
	if leave, err = a.enter(t.Context(), share{"local", "a"}); err != nil {
		t.Fatalf("with a free slot: %v", err)
	}
	leave()
	if len(a.shares) != 0 {
		t.Errorf("%d shares are left", len(a.shares))
	}
}
