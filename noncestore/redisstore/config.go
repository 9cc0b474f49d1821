// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// DefaultName is the name of the store where the configuration gives none.
const DefaultName = "ltisidecar"

// Times and sizes of connections.
const (
	dialTime        = 2 * time.Second
	answerTime      = 2 * time.Second // a connection that owes an answer for longer is given up
	topologyRefresh = 5 * time.Second // a missed announcement of a new primary is made good within this
	bufferSize      = 32 << 10        // bytes, for reading and for writing
)

// Config says where the store is.
type Config struct {
	// URL is redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS; all but the host may be absent. Further
	// addresses follow as ?addr=HOST:PORT&addr=HOST:PORT; with ?master_set=NAME they are those of Sentinels. A Redis
	// Cluster is recognized by itself. Required.
	URL string

	// Password takes the place of the password in URL. Empty: the one in URL.
	Password string

	// SentinelPassword is the password of the Sentinels. Empty: none.
	SentinelPassword string

	// RootCAs are the authorities that rediss:// trusts. Nil: those of the system.
	RootCAs *x509.CertPool

	// Name keeps the stores of several tools on one server apart: it is the hash tag of every key. Empty: DefaultName.
	// At most 40 of a-z, 0-9, '_' and '-'.
	Name string

	// Secret, Now, Monotonic, Rand and Logger are those of fence.Config.
	Secret    []byte
	Now       func() time.Time
	Monotonic func() time.Duration
	Rand      io.Reader
	Logger    *slog.Logger
}

var namePattern = regexp.MustCompile(`^[a-z0-9_-]{1,40}$`)

// urlParameters are the query parameters that a URL may have. The others of rueidis would weaken what is promised here.
var urlParameters = []string{"addr", "master_set", "db"}

// options returns the options of the client. Errors do not contain the URL, which may hold a password.
func (c *Config) options() (rueidis.ClientOption, error) {
	none := rueidis.ClientOption{}
	if c.Name == "" {
		c.Name = DefaultName
	}
	if !namePattern.MatchString(c.Name) {
		return none, fmt.Errorf("the name %.50q is not 1 to 40 of a-z, 0-9, _ and -", c.Name)
	}
	parsed, err := url.Parse(c.URL)
	if err != nil || parsed.Host == "" || parsed.Scheme != "redis" && parsed.Scheme != "rediss" {
		return none, errors.New("the URL is not redis://HOST:PORT or rediss://HOST:PORT; characters such as @ and / in a password must be percent-encoded")
	}
	for name := range parsed.Query() {
		if !slices.Contains(urlParameters, name) {
			return none, fmt.Errorf("the URL has the parameter %.50q; known are %s", name, strings.Join(urlParameters, ", "))
		}
	}
	option, err := rueidis.ParseURL(c.URL)
	if err != nil {
		return none, errors.New("the URL cannot be read: the path must be a database number")
	}
	if c.Password != "" {
		option.Password = c.Password
	}
	if option.TLSConfig != nil {
		option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs}
	}
	option.Sentinel.Password = c.SentinelPassword
	option.Sentinel.TLSConfig = option.TLSConfig
	option.Sentinel.TopologyRefreshInterval = topologyRefresh
	option.Sentinel.Dialer.Timeout = dialTime
	option.Dialer.Timeout = dialTime
	option.ConnWriteTimeout = answerTime
	option.ClusterOption.MaxMovedRedirections = 3
	option.ReadBufferEachConn, option.WriteBufferEachConn = bufferSize, bufferSize
	option.ClientName = "ltisidecar"
	option.ClientSetInfo = rueidis.DisableClientSetInfo // one right less that the user needs
	option.DisableRetry = true                          // a lost answer is asked for again by the fence, which knows whose the write was
	option.DisableCache = true
	return option, nil
}
