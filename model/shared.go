// SPDX-License-Identifier: Apache-2.0

package model

import "fmt"

// SharedRules says which rules of a shared store's fence hold, and how much goes wrong. The zero value is the whole
// protocol with nothing going wrong.
type SharedRules struct {
	ProofPerConnection  bool // compare the server's ids only when connecting, not in the operation that writes
	GenerationUnchecked bool // let a redemption name no generation: any unused nonce is accepted
	IgnoreRunID         bool // compare the replication id alone
	IgnoreReplicationID bool // compare the run id alone

	Restarts   uint8 // of either server, with an empty memory or the last snapshot
	Promotions uint8 // of either server
	Flushes    uint8 // FLUSHALL
}

const (
	sharedServers  = 2
	sharedSidecars = 2
)

// fence is what is stored beside the memory: whose memory it is, and the generation of its seal. For Redis the ids are
// run_id and master_replid, for PostgreSQL the start time of the postmaster and the timeline.
type fence struct {
	run, replication uint8
	generation       uint8 // 0: there is no fence
}

// memory is what a server keeps: its replication id, the fence, and whether the one nonce of the model was redeemed.
type memory struct {
	replication uint8 // new at each promotion, and where a server starts empty
	fence       fence
	redeemed    bool
}

// storeServer is one server.
type storeServer struct {
	down     bool
	primary  bool
	run      uint8 // new at each start of the process
	memory   memory
	snapshot memory // what a restart may load; without replication id: there is none
}

// sharedSidecar is one sidecar: where it is connected, what it knows of the seal, and whether a redemption is on its way.
type sharedSidecar struct {
	server     uint8
	proven     uint8 // run id that was proven on this connection; 0: none
	generation uint8 // of the seal it holds; 0: none
	opened     bool  // it opened the state of the launch, and is about to redeem
}

// sharedState is the whole world: one launch, whose state was sealed under one generation, and its copies in the hands of
// an attacker who gives them to either sidecar as often as he likes.
type sharedState struct {
	servers    [sharedServers]storeServer
	sidecars   [sharedSidecars]sharedSidecar
	issued     uint8 // generation that the state was sealed under; 0: no login yet
	accepted   uint8 // how often the launch was accepted
	restarts   uint8
	promotions uint8
	flushes    uint8
}

// ids returns every id of the state, and generations every generation, in a fixed order.
func (s *sharedState) ids() []*uint8 {
	var ids []*uint8
	for i := range s.servers {
		server := &s.servers[i]
		ids = append(ids, &server.run)
		for _, m := range []*memory{&server.memory, &server.snapshot} {
			ids = append(ids, &m.replication, &m.fence.run, &m.fence.replication)
		}
	}
	for i := range s.sidecars {
		ids = append(ids, &s.sidecars[i].proven)
	}
	return ids
}

func (s *sharedState) generations() []*uint8 {
	generations := []*uint8{&s.issued}
	for i := range s.servers {
		server := &s.servers[i]
		generations = append(generations, &server.memory.fence.generation, &server.snapshot.fence.generation)
	}
	for i := range s.sidecars {
		generations = append(generations, &s.sidecars[i].generation)
	}
	return generations
}

// fresh returns a number that is not in use. One that is nowhere any more can be used again, because nothing could tell.
func fresh(used []*uint8) uint8 {
	var highest uint8
	for _, number := range used {
		highest = max(highest, *number)
	}
	return highest + 1
}

// reduced makes states one that nothing can tell apart. Ids and generations are compared for equality only, so they are
// numbered in the order in which they appear. Once the launch was begun, all generations but its own are alike; what a
// dead server's ids were, or a connection's proof where it is not asked for, matters to nobody.
func (s sharedState) reduced(rules SharedRules) sharedState {
	for i := range s.servers {
		if s.servers[i].down {
			s.servers[i].run, s.servers[i].memory = 0, memory{}
		}
	}
	for i := range s.sidecars {
		if !rules.ProofPerConnection {
			s.sidecars[i].proven = 0
		}
		if s.issued != 0 && s.sidecars[i].generation != s.issued {
			s.sidecars[i].generation = 0
		}
	}
	if s.issued != 0 {
		other := fresh(s.generations())
		for _, generation := range s.generations() {
			if *generation != 0 && *generation != s.issued {
				*generation = other
			}
		}
	}
	renumber(s.ids())
	renumber(s.generations())
	return s
}

// renumber numbers in the order of appearance. 0 stays 0.
func renumber(numbers []*uint8) {
	var renamed [256]uint8
	last := uint8(0)
	for _, number := range numbers {
		if *number == 0 {
			continue
		}
		if renamed[*number] == 0 {
			last++
			renamed[*number] = last
		}
		*number = renamed[*number]
	}
}

// Shared is the model of a store that sidecars share.
func Shared(rules SharedRules) Spec[sharedState] {
	var start sharedState
	start.servers[0] = storeServer{primary: true, run: 1, memory: memory{replication: 2}}
	start.servers[1] = storeServer{run: 3, memory: memory{replication: 2}}
	start = start.reduced(rules)
	return Spec[sharedState]{
		Start: start,
		Steps: func(s sharedState) []Step[sharedState] {
			var steps []Step[sharedState]
			add := func(next sharedState, format string, args ...any) {
				steps = append(steps, Step[sharedState]{fmt.Sprintf(format, args...), next.reduced(rules)})
			}
			for i := range s.sidecars {
				rules.sidecarSteps(s, i, add)
			}
			for i := range s.servers {
				rules.serverSteps(s, i, add)
			}
			return steps
		},
		Broken: func(s sharedState) string {
			if s.accepted > 1 {
				return "the launch was accepted twice"
			}
			return ""
		},
	}
}

// fenced reports whether a server's fence names the server as it is now.
func (rules SharedRules) fenced(server storeServer) bool {
	f := server.memory.fence
	return f.generation != 0 && (rules.IgnoreRunID || f.run == server.run) &&
		(rules.IgnoreReplicationID || f.replication == server.memory.replication)
}

type addShared func(next sharedState, format string, args ...any)

func (rules SharedRules) sidecarSteps(s sharedState, i int, add addShared) {
	sidecar := s.sidecars[i]
	server := s.servers[sidecar.server]
	for other := range s.servers {
		if uint8(other) != sidecar.server && !s.servers[other].down {
			next := s
			next.sidecars[i].server, next.sidecars[i].proven = uint8(other), 0
			add(next, "sidecar %d connects to server %d", i, other)
		}
	}
	if server.down {
		return
	}
	if server.primary {
		next := s
		f := &next.servers[sidecar.server].memory.fence
		if !rules.fenced(server) { // roll, by compare-and-set in the store
			*f = fence{server.run, server.memory.replication, fresh(s.generations())}
		}
		next.sidecars[i].generation, next.sidecars[i].proven = f.generation, server.run
		if next != s {
			add(next, "sidecar %d reads the seal of server %d", i, sidecar.server)
		}
	}
	if sidecar.generation != 0 && s.issued == 0 {
		next := s
		next.issued = sidecar.generation
		add(next, "sidecar %d begins the login", i)
	}
	if s.issued != 0 && !sidecar.opened && sidecar.generation == s.issued {
		next := s
		next.sidecars[i].opened = true
		add(next, "sidecar %d opens the state of a copy", i)
	}
	if sidecar.opened {
		next := s
		next.sidecars[i].opened = false
		if rules.accepts(server, sidecar, s.issued) {
			next.servers[sidecar.server].memory.redeemed = true
			next.accepted++
			add(next, "sidecar %d redeems at server %d: accepted", i, sidecar.server)
		} else {
			add(next, "sidecar %d redeems at server %d: refused", i, sidecar.server)
		}
	}
}

// accepts is the operation that decides, atomic in the server.
func (rules SharedRules) accepts(server storeServer, sidecar sharedSidecar, issued uint8) bool {
	if !server.primary || server.memory.redeemed {
		return false
	}
	if rules.ProofPerConnection {
		if sidecar.proven != server.run {
			return false
		}
	} else if !rules.fenced(server) {
		return false
	}
	return rules.GenerationUnchecked || server.memory.fence.generation == issued
}

func (rules SharedRules) serverSteps(s sharedState, i int, add addShared) {
	server, other := s.servers[i], s.servers[1-i]
	if server.down {
		next := s
		next.servers[i].down = false
		next.servers[i].run = fresh(s.ids())
		empty := next
		empty.servers[i].memory = memory{replication: fresh(next.ids())}
		add(empty, "server %d starts empty", i)
		if server.snapshot.replication != 0 {
			next.servers[i].memory = server.snapshot
			add(next, "server %d starts from its snapshot", i)
		}
		return
	}
	if server.snapshot != server.memory {
		next := s
		next.servers[i].snapshot = server.memory
		add(next, "server %d saves a snapshot", i)
	}
	if s.restarts < rules.Restarts {
		next := s
		next.restarts++
		next.servers[i].down = true
		for j := range next.sidecars {
			if int(next.sidecars[j].server) == i {
				next.sidecars[j].proven = 0 // its connection ends
			}
		}
		add(next, "server %d crashes", i)
	}
	if s.flushes < rules.Flushes && server.primary {
		next := s
		next.flushes++
		next.servers[i].memory = memory{replication: server.memory.replication}
		add(next, "server %d is flushed", i)
	}
	if !server.primary {
		if other.primary && !other.down && server.memory != other.memory {
			next := s
			next.servers[i].memory = other.memory
			add(next, "server %d catches up with server %d", i, 1-i)
		}
		if s.promotions < rules.Promotions {
			next := s
			next.promotions++
			next.servers[i].primary, next.servers[i].memory.replication = true, fresh(s.ids())
			add(next, "server %d is promoted", i)
		}
	}
	// A former primary finds out later that it is one no more: until then both believe that they are.
	if server.primary && other.primary {
		next := s
		next.servers[i].primary = false
		add(next, "server %d becomes a replica", i)
	}
}
