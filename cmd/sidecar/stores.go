// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
	"github.com/ltisidecar/ltisidecar/noncestore/fence"
	noncepostgres "github.com/ltisidecar/ltisidecar/noncestore/postgresstore"
	"github.com/ltisidecar/ltisidecar/noncestore/redisstore"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/postgres"
	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
	recordpostgres "github.com/ltisidecar/ltisidecar/records/postgresstore"
)

// storeEngine is where state lies that must outlive a call.
type storeEngine int

const (
	embedded   storeEngine = iota // all of it in data_dir and the key directory
	inRedis                       // used launches in Redis, the rest as embedded
	inPostgres                    // all of it in PostgreSQL
)

// checkStore checks the shared store and reads its secrets.
func (c *configCheck) checkStore(base string) {
	store, keys := &c.config.Store, &c.config.Keys
	parsed, err := url.Parse(store.URL)
	scheme := ""
	if err == nil {
		scheme = parsed.Scheme
	}
	switch scheme {
	case "redis", "rediss":
		store.engine = inRedis
	case "postgres", "postgresql":
		store.engine = inPostgres
	default:
		if store.URL != "" {
			c.wrong("store.url", "it is no URL of a store: write redis://HOST:6379, rediss://HOST:6379 or postgres://USER@HOST:5432/DATABASE")
			return
		}
	}
	store.password = c.secretFile(base, "store.password_file", store.PasswordFile, 1)
	store.secret = c.secretFile(base, "store.secret_file", store.SecretFile, fence.MinSecret)
	keys.encryptionKey = c.secretFile(base, "keys.encryption_key_file", keys.EncryptionKeyFile, keystore.MinEncryptionKey)
	keys.formerEncryptionKey = c.secretFile(base, "keys.former_encryption_key_file", keys.FormerEncryptionKeyFile, keystore.MinEncryptionKey)
	if store.URL == "" {
		for key, value := range map[string]string{"password_file": store.PasswordFile, "secret_file": store.SecretFile, "ca_file": store.CAFile, "name": store.Name} {
			if value != "" {
				c.wrong("store."+key, "it is of no use without store.url")
			}
		}
	} else if store.SecretFile == "" {
		c.wrong("store.secret_file", "it is required with store.url: a file with a secret that all sidecars of this store share, made with `openssl rand -hex 32`")
	}
	if store.CAFile != "" {
		store.roots = c.readStoreCA(base)
	}
	switch {
	case store.engine == inPostgres && keys.EncryptionKeyFile == "":
		c.wrong("keys.encryption_key_file", "it is required with a PostgreSQL store, which holds the tool's keys encrypted: a file made with `openssl rand -hex 32`, the same for all sidecars, kept out of the database and its backups")
	case store.engine != inPostgres && keys.EncryptionKeyFile+keys.FormerEncryptionKeyFile != "":
		c.wrong("keys.encryption_key_file", "it is of no use where the tool's keys are files: it belongs to a PostgreSQL store")
	}
}

// secretFile reads a secret of at least so many bytes, or says what is wrong with its file.
func (c *configCheck) secretFile(base, key, path string, least int) string {
	if path == "" {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	secret, err := keystore.ReadSecretFile(path)
	switch {
	case err != nil:
		c.wrong(key, "%v", err)
	case len(secret) < least:
		c.wrong(key, "%s holds %d bytes, fewer than %d: make one with `openssl rand -hex 32`", path, len(secret), least)
	}
	return secret
}

func (c *configCheck) readStoreCA(base string) *x509.CertPool {
	path := c.config.Store.CAFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	if c.config.Store.engine != inRedis {
		c.wrong("store.ca_file", "it is for Redis: with PostgreSQL write sslmode=verify-full&sslrootcert=FILE into store.url")
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		c.wrong("store.ca_file", "it cannot be read: %v", err)
		return nil
	}
	roots, err := outbound.RootsWith(text)
	if err != nil {
		c.wrong("store.ca_file", "it is not usable: %v", err)
	}
	return roots
}

// state is what the sidecar keeps.
type state struct {
	records records.Store
	lanes   records.Lanes
	keys    *keystore.ToolKeys
	nonces  noncestore.Store
}

// openState opens the stores and the tool's keys, in the order in which a loss is noticed before anything is made anew.
func openState(ctx context.Context, config *Config, logger *slog.Logger, acceptLoss bool, ends *closers) (*state, error) {
	if err := os.MkdirAll(config.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data_dir: %w", err)
	}
	s := &state{}
	place := instancePlace{directory: config.Keys.Directory}
	if config.Store.engine == inPostgres {
		store, err := recordpostgres.Open(ctx, config.Store.postgres())
		if err != nil {
			return nil, fmt.Errorf("store.url: %w", err)
		}
		s.records, s.lanes = store, store
		ends.add("records", store.Close)
		place = instancePlace{directory: config.DataDir, shared: true}
	} else {
		store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(config.DataDir, "records.db")})
		if err != nil {
			return nil, err
		}
		ends.add("records", store.Close)
		if s.lanes, err = store.Lanes(boltstore.LanesConfig{}); err != nil {
			return nil, err
		}
		s.records = store
	}
	// Before the keys: lost ones must not be replaced by new ones that no platform knows.
	found, err := findInstance(ctx, place, s.records, acceptLoss)
	if err != nil {
		return nil, err
	}
	if s.keys, err = openToolKeys(ctx, config, s.records, found.first() || acceptLoss); err != nil {
		return nil, err
	}
	if err := found.keep(ctx, place, s.records); err != nil {
		return nil, err
	}
	if s.nonces, err = openNonces(ctx, config, logger, found.id); err != nil {
		return nil, err
	}
	ends.add("nonces", s.nonces.Close)
	return s, nil
}

func openToolKeys(ctx context.Context, config *Config, store records.Store, create bool) (*keystore.ToolKeys, error) {
	if config.Store.engine == inPostgres {
		return keystore.NewStoredToolKeys(ctx, keystore.StoredToolKeysConfig{Store: store, EncryptionKey: config.Keys.encryptionKey,
			FormerEncryptionKey: config.Keys.formerEncryptionKey, Directory: config.Keys.Directory, Create: create})
	}
	return keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: config.Keys.Directory, Create: create})
}

func openNonces(ctx context.Context, config *Config, logger *slog.Logger, instance [4]byte) (noncestore.Store, error) {
	var shared *fence.Store
	var err error
	switch config.Store.engine {
	case inRedis:
		settings := config.Store.redis()
		settings.Logger = logger
		shared, err = redisstore.Open(ctx, settings)
	case inPostgres:
		shared, err = noncepostgres.Open(ctx, noncepostgres.Config{Database: config.Store.postgres(), Secret: []byte(config.Store.secret), Logger: logger})
	default:
		settings := badgerstore.Config{Instance: instance, Logger: logger, InMemory: config.Nonce.Store == "memory", SyncAlways: config.Nonce.Sync == "always"}
		if !settings.InMemory {
			settings.Directory = filepath.Join(config.DataDir, "nonces")
		}
		return badgerstore.Open(settings)
	}
	if err != nil {
		return nil, fmt.Errorf("store.url: %w", err)
	}
	return shared, nil
}

func (c *StoreConfig) redis() redisstore.Config {
	return redisstore.Config{URL: c.URL, Password: c.password, RootCAs: c.roots, Name: c.Name, Secret: []byte(c.secret)}
}

func (c *StoreConfig) postgres() postgres.Config {
	return postgres.Config{URL: c.URL, Password: c.password, Schema: c.Name}
}
