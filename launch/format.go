// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"slices"
	"strconv"
	"time"
)

// formatTime is how times stand in messages and metadata: UTC, whole seconds.
func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// seconds is how durations stand in metadata: a plain number of whole seconds, such as "61" or "-75".
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(d.Round(time.Second)/time.Second), 10)
}

func itoa(n int) string { return strconv.Itoa(n) }

func contains(list []string, text string) bool { return slices.Contains(list, text) }
