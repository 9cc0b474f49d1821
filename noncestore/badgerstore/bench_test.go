// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"testing"
)

// BenchmarkRedeem measures a redemption as a launch does it, the seal included.
func BenchmarkRedeem(b *testing.B) {
	for name, config := range map[string]Config{
		"disk":        {Directory: b.TempDir()},
		"disk synced": {Directory: b.TempDir(), SyncAlways: true},
		"memory":      {InMemory: true},
	} {
		b.Run(name, func(b *testing.B) {
			config.Instance, config.SealDirectories = [4]byte{1}, []string{}
			s, err := Open(config)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.SetParallelism(16)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					seal, err := s.Seal(b.Context())
					if err == nil {
						err = s.Redeem(b.Context(), seal.Generation, newNonce())
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
