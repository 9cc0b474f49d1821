// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

const (
	configVariable = "LTISIDECAR_CONFIG"
	maxConfigSize  = 4 << 20 // bytes
	maxSocketPath  = 107     // bytes, the kernel's limit
)

func defaultConfigPath() string {
	if path := os.Getenv(configVariable); path != "" {
		return path
	}
	return "/etc/ltisidecar/sidecar.yaml"
}

// Config is the configuration as docs/config.md describes it, checked and with its defaults filled in.
type Config struct {
	Dev           bool                 `yaml:"dev"`
	Listen        ListenConfig         `yaml:"listen"`
	DataDir       string               `yaml:"data_dir"`
	Store         StoreConfig          `yaml:"store"`
	Keys          KeysConfig           `yaml:"keys"`
	PlatformKeys  PlatformKeysConfig   `yaml:"platform_keys"`
	Nonce         NonceConfig          `yaml:"nonce"`
	Outbound      OutboundConfig       `yaml:"outbound"`
	Outbox        OutboxConfig         `yaml:"outbox"`
	Log           LogConfig            `yaml:"log"`
	Registrations []RegistrationConfig `yaml:"registrations"`
	Registry      *platform.Registry   `yaml:"-"`
	AllowCIDRs    []netip.Prefix       `yaml:"-"`
	CAPEM         []byte               `yaml:"-"`
	StaleIfError  time.Duration        `yaml:"-"`
	LogLevel      slog.Level           `yaml:"-"`
	Warnings      []string             `yaml:"-"` // for the operator, with their place in the file
}

// ListenConfig says where the sidecar listens.
type ListenConfig struct {
	Socket  string `yaml:"socket"`
	TCP     string `yaml:"tcp"`
	JSON    string `yaml:"json"`
	JSONTCP string `yaml:"json_tcp"`
	JWKS    string `yaml:"jwks"`
	Metrics string `yaml:"metrics"`
}

// StoreConfig names the database that several sidecars share.
type StoreConfig struct {
	URL          string `yaml:"url"`
	PasswordFile string `yaml:"password_file"`
	SecretFile   string `yaml:"secret_file"`
	CAFile       string `yaml:"ca_file"`
	Name         string `yaml:"name"`

	engine           storeEngine
	password, secret string
	roots            *x509.CertPool
}

// KeysConfig says where the tool's keys are.
type KeysConfig struct {
	Directory               string `yaml:"directory"`
	EncryptionKeyFile       string `yaml:"encryption_key_file"`
	FormerEncryptionKeyFile string `yaml:"former_encryption_key_file"`

	encryptionKey, formerEncryptionKey string
}

// PlatformKeysConfig says how long platforms' keys serve while they cannot be fetched.
type PlatformKeysConfig struct {
	StaleIfError string `yaml:"stale_if_error"`
	WarmStart    *bool  `yaml:"warm_start"`
}

// NonceConfig chooses the memory of redeemed nonces.
type NonceConfig struct {
	Store string `yaml:"store"`
	Sync  string `yaml:"sync"`
}

// OutboundConfig confines requests to platforms.
type OutboundConfig struct {
	CAFile     string   `yaml:"ca_file"`
	AllowCIDRs []string `yaml:"allow_cidrs"`
}

// OutboxConfig bounds what is kept for platforms that do not take it now.
type OutboxConfig struct {
	MaxOpen int `yaml:"max_open"`
}

// LogConfig configures the log.
type LogConfig struct {
	Level string `yaml:"level"`
}

// LoadConfig reads and checks a configuration file. Its error lists every problem with file, line, column and fix.
func LoadConfig(path string) (*Config, error) {
	text, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	config := &Config{}
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := decode(decoder, config); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is not a valid configuration:\n%s\ndocs/config.md lists every key", path, yaml.FormatError(err, false, true))
	}
	if err := decode(decoder, &Config{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s holds more than one YAML document: write one, without --- in between", path)
	}
	directory, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("the configuration's directory: %w", err)
	}
	check := &configCheck{path: path, text: text, config: config}
	check.run(directory)
	if len(check.problems) > 0 {
		return nil, errors.New(strings.Join(check.problems, "\n"))
	}
	return config, nil
}

// decode reads the next document. The YAML library panics on some texts, such as a tagged text where a list belongs.
func decode(decoder *yaml.Decoder, config *Config) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("the YAML reader cannot make sense of it: look for a tag (!) or a text where a list or a map belongs (it says: %v)", value)
		}
	}()
	return decoder.Decode(config)
}

func readConfig(path string) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no configuration at %s: write one as docs/config.md shows, or name it with --config", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxConfigSize+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	if len(text) > maxConfigSize {
		return nil, fmt.Errorf("the configuration %s is larger than 4 MiB", path)
	}
	return text, nil
}

// configCheck collects the problems of one configuration.
type configCheck struct {
	path     string
	text     []byte
	config   *Config
	problems []string
}

// at returns "file:line:column: key: message" for a key such as listen.tcp, with the place of the nearest key that the
// file has.
func (c *configCheck) at(key, message string) string {
	for path := "$." + key; path != "$"; path = parentPath(path) {
		parsed, err := yaml.PathString(path)
		if err != nil {
			break
		}
		node, err := parsed.ReadNode(strings.NewReader(string(c.text)))
		if err != nil || node == nil || node.GetToken() == nil {
			continue
		}
		position := node.GetToken().Position
		return fmt.Sprintf("%s:%d:%d: %s: %s", c.path, position.Line, position.Column, key, message)
	}
	return fmt.Sprintf("%s: %s: %s", c.path, key, message)
}

func parentPath(path string) string {
	if i := strings.LastIndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return "$"
}

func (c *configCheck) wrong(key, format string, args ...any) {
	c.problems = append(c.problems, c.at(key, fmt.Sprintf(format, args...)))
}

func (c *configCheck) doubt(key, format string, args ...any) {
	c.config.Warnings = append(c.config.Warnings, c.at(key, fmt.Sprintf(format, args...)))
}

// run checks everything and fills in the defaults. Relative paths are taken from the configuration's directory.
func (c *configCheck) run(base string) {
	config := c.config
	if config.Listen.Socket == "" && config.Listen.TCP == "" {
		config.Listen.Socket = "/run/ltisidecar/sidecar.sock"
	}
	if config.DataDir == "" {
		config.DataDir = "/var/lib/ltisidecar"
	}
	if config.Keys.Directory == "" {
		config.Keys.Directory = "keys"
	}
	switch config.Listen.JSON {
	case "":
		config.Listen.JSON = config.Listen.defaultJSON()
	case noListener:
		config.Listen.JSON = ""
	}
	for _, path := range []*string{&config.Listen.Socket, &config.Listen.JSON, &config.DataDir, &config.Keys.Directory, &config.Outbound.CAFile} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(base, *path)
		}
	}
	if len(config.Listen.Socket) > maxSocketPath {
		c.wrong("listen.socket", "the path has %d bytes; the system allows %d", len(config.Listen.Socket), maxSocketPath)
	}
	if len(config.Listen.JSON) > maxSocketPath {
		c.wrong("listen.json", "the path has %d bytes; the system allows %d: name a shorter one, or write none", len(config.Listen.JSON), maxSocketPath)
	}
	if config.Listen.JSON != "" && config.Listen.JSON == config.Listen.Socket {
		c.wrong("listen.json", "it is the socket of listen.socket: write another: JSON needs its own")
	}
	c.checkLoopback("listen.tcp", config.Listen.TCP)
	c.checkLoopback("listen.json_tcp", config.Listen.JSONTCP)
	c.checkLoopback("listen.jwks", config.Listen.JWKS)
	if address := config.Listen.Metrics; address != "" {
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			c.wrong("listen.metrics", "%q is not an address: write 127.0.0.1:9582, or :9582 for every interface", address)
		}
	}
	c.checkPlatformKeys()
	c.checkStore(base)
	if config.Store.engine != embedded && (config.Nonce.Store != "" || config.Nonce.Sync != "") {
		c.wrong("nonce", "used launches are remembered where store.url says: leave nonce out")
	}
	switch config.Nonce.Store {
	case "":
		config.Nonce.Store = "badger"
	case "badger", "memory":
	default:
		c.wrong("nonce.store", "%q is not a store: use badger, or memory for tests; Redis and PostgreSQL are chosen by store.url", config.Nonce.Store)
	}
	switch config.Nonce.Sync {
	case "":
		config.Nonce.Sync = "never"
	case "never", "always":
	default:
		c.wrong("nonce.sync", "%q is none of never, always", config.Nonce.Sync)
	}
	if level := config.Log.Level; level != "" {
		if err := config.LogLevel.UnmarshalText([]byte(level)); err != nil {
			c.wrong("log.level", "%q is not a level: use debug, info, warn or error", level)
		}
	}
	if config.Outbox.MaxOpen < 0 {
		c.wrong("outbox.max_open", "%d is negative: write how many scores may wait, or leave it out for a million", config.Outbox.MaxOpen)
	}
	c.checkOutbound()
	c.checkRegistrations(base)
}

// checkLoopback holds a TCP address to loopback: there is no encryption and no caller identity on it.
func (c *configCheck) checkLoopback(key, address string) {
	if address == "" {
		return
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		c.wrong(key, "%q is not an address: write 127.0.0.1:50051", address)
		return
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		c.wrong(key, "%q is not a loopback address; use 127.0.0.1 or [::1]: anyone who reaches it can act as the tool", address)
	}
}

func (c *configCheck) checkPlatformKeys() {
	c.config.StaleIfError = keystore.DefaultStaleIfError
	if text := c.config.PlatformKeys.StaleIfError; text != "" {
		stale, err := time.ParseDuration(text)
		if err != nil || stale < 0 || stale > keystore.DefaultStaleIfError {
			c.wrong("platform_keys.stale_if_error", "%q is not a time from 0s to 24h: write 12h, or 0s to turn it off", text)
		}
		c.config.StaleIfError = stale
	}
}

func (c *configCheck) checkOutbound() {
	for i, text := range c.config.Outbound.AllowCIDRs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			c.wrong(fmt.Sprintf("outbound.allow_cidrs[%d]", i), "%q is not a network: write 10.0.0.0/8", text)
			continue
		}
		c.config.AllowCIDRs = append(c.config.AllowCIDRs, prefix.Masked())
	}
	if file := c.config.Outbound.CAFile; file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			c.wrong("outbound.ca_file", "it cannot be read: %v", err)
			return
		}
		if _, err := outbound.RootsWith(text); err != nil {
			c.wrong("outbound.ca_file", "it is not usable: %v", err)
		}
		c.config.CAPEM = text
	}
}
