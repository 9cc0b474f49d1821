// SPDX-License-Identifier: Apache-2.0

// Package workload makes what is measured: a platform's key, and its id_tokens. It shares no code with what it loads.
package workload
