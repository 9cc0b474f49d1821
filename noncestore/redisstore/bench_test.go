// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/ltisidecar/ltisidecar/testservers"
)

// BenchmarkRedeem measures redemptions over loopback, with Redis on the same processors.
func BenchmarkRedeem(b *testing.B) {
	redis := testservers.StartRedis(b)
	store, err := Open(b.Context(), Config{URL: redis.URL(), Secret: secret})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	seal, err := store.Seal(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, clients := range []int{2, 16, 64, 256} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := store.Redeem(b.Context(), seal.Generation, newNonce()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
