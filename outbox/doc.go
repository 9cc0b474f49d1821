// SPDX-License-Identifier: Apache-2.0

// Package outbox delivers what was accepted: durably, in order, and with the truth about what became of it. It works on
// the entries of one kind in records.Lanes; what is sent, and what an answer means, is said by the functions of its
// Config.
//
// An entry moves like this. Each arrow is durable before the next one begins.
//
//	     Submit ──────────────────────────────► SUPERSEDED   a newer one of its lane stands
//	       │                                        ▲
//	       ▼            a newer one replaces it     │
//	┌── QUEUED ──────────────────────────────────►──┤
//	│      │  ▲                                     │
//	│      │  │ not taken: again after the back-off │
//	│      ▼  │                                     │
//	│  delivering ──── taken ───────────► DELIVERED │
//	│      │  │  │                           ▲      │
//	│      │  │  └─ refused for good ─► REFUSED      │   the dead letters
//	│      │  │                           ▲  │      │
//	│      │  │ no answer, or a crash     │  │ Redrive
//	│      ▼  ▼                           │  ▼      │
//	│   ambiguous ── evidence: it is there ─► DELIVERED
//	│      │  └───── evidence: it is not ──► QUEUED
//	│      ▼ no evidence                            │
//	│  UNCONFIRMED, due ──── replaced ──────────────┘
//	│      │ sent once more, the same bytes
//	│      ├─ taken, or "not newer" where that is proof ─► DELIVERED
//	│      ├─ not taken ─► UNCONFIRMED, due
//	│      ├─ refused for good ─► REFUSED
//	│      └─ no answer again ─► UNCONFIRMED, ended ── Redrive ─► QUEUED
//	└─ not taken for longer than the horizon ─► REFUSED, or UNCONFIRMED where it may have arrived
//
// "delivering" is an entry whose attempt has Started. The first byte leaves only after that is durable, so an attempt
// that a crash cut short is known as one whose end is not.
package outbox
