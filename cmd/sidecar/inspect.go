// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

const (
	maxPastedSize = 1 << 20 // bytes
	maxKeySetSize = 1 << 20 // bytes
)

// inspectFlags are the flags of `sidecar inspect`.
type inspectFlags struct {
	registration, keys, at string
	showPersonal           bool
}

// newInspect returns `sidecar inspect`.
func newInspect() *cobra.Command {
	var flags inspectFlags
	command := &cobra.Command{
		Use:   "inspect < token.txt",
		Short: "Judge an id_token from standard input, check by check, without the network",
		Long: `Judge an id_token, or the jwt of a notice, from standard input, check by check,
without the network.

It is compared with the registrations of the configuration, and with the platform's
key set where --keys names a file. State, nonce and browser are not judged, so a
token that passes here is no launch. The exit status is 0 if no check failed.

Names, addresses and ids of people are masked. Still, treat the token as a secret.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errors.New("give the token on standard input: arguments can be seen by others on this machine, and stay in the shell's history")
			}
			return nil
		},
		RunE: func(command *cobra.Command, _ []string) error { return inspect(command, flags) },
	}
	command.Flags().StringVar(&flags.registration, "registration", "", "name of the registration to judge by; without it the one that fits best")
	command.Flags().StringVar(&flags.keys, "keys", "", "file with the platform's key set, {\"keys\": [...]}, to verify the signature with")
	command.Flags().StringVar(&flags.at, "at", "", "judge as of this time, such as 2031-05-06T07:08:09Z; without it as of now")
	command.Flags().BoolVar(&flags.showPersonal, "show-personal", false, "show names, addresses and ids of people")
	return command
}

func inspect(command *cobra.Command, flags inspectFlags) error {
	settings, err := flags.settings(command)
	if err != nil {
		return err
	}
	token, err := readPasted(command)
	if err != nil {
		return err
	}
	result, err := launch.Inspect(token, settings)
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	if _, err := io.WriteString(out, report(result, flags.showPersonal, hasColour(out))); err != nil {
		return err
	}
	if failed := result.Failed(); failed > 0 {
		return fmt.Errorf("the token would be refused: checks that failed: %d; `sidecar explain REASON` says more", failed)
	}
	return nil
}

// settings loads what the token is compared with.
func (f inspectFlags) settings(command *cobra.Command) (launch.InspectConfig, error) {
	var settings launch.InspectConfig
	config, err := inspectConfig(command)
	if err != nil {
		return settings, err
	}
	settings = launch.InspectConfig{Registry: config.Registry, Registration: f.registration, AllowHTTP: config.Dev}
	if f.at != "" {
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return settings, fmt.Errorf("--at: %q is not a time; write 2031-05-06T07:08:09Z", f.at)
		}
		settings.Now = func() time.Time { return at }
	}
	if f.keys != "" {
		if settings.Keys, err = readKeySet(f.keys); err != nil {
			return settings, err
		}
	}
	return settings, nil
}

// inspectConfig loads the configuration. Where none was named and there is none at the usual place, the token is judged
// without registrations.
func inspectConfig(command *cobra.Command) (*Config, error) {
	path, err := command.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !command.Flags().Changed("config") && os.Getenv(configVariable) == "" {
		registry, err := platform.NewRegistry(nil)
		return &Config{Registry: registry}, err
	}
	return LoadConfig(path)
}

func readKeySet(path string) (*jose.KeySet, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--keys: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxKeySetSize+1))
	if err != nil {
		return nil, fmt.Errorf("--keys %s: %w", path, err)
	}
	if len(data) > maxKeySetSize {
		return nil, fmt.Errorf("--keys %s: the file is larger than 1 MiB", path)
	}
	set, err := jose.ParseKeySet(data)
	var refusal *lti.Error
	if errors.As(err, &refusal) {
		return nil, fmt.Errorf("--keys %s: it is not a key set: %s", path, refusal.Metadata["detail"])
	}
	return set, err
}

// readPasted reads the token, and takes blanks and line ends around it away: they come from pasting.
func readPasted(command *cobra.Command) (string, error) {
	in := command.InOrStdin()
	if isTerminal(in) {
		fmt.Fprintln(command.ErrOrStderr(), "Paste the id_token, press Enter and then Ctrl-D.")
	}
	data, err := io.ReadAll(io.LimitReader(in, maxPastedSize+1))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	if len(data) > maxPastedSize {
		return "", errors.New("standard input is larger than 1 MiB: that is no id_token")
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", errors.New("standard input is empty: paste the value of id_token, three parts with dots between")
	}
	return token, nil
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0
}

// hasColour follows no-color.org: colour for terminals only, and not where NO_COLOR is set.
func hasColour(out io.Writer) bool {
	return isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

const (
	colourGreen = "\x1b[32m"
	colourRed   = "\x1b[31m"
	colourGrey  = "\x1b[90m"
	colourEnd   = "\x1b[0m"
)

// report says what was found: a line a check, with a mark and a word.
func report(result *launch.Inspection, showPersonal, colour bool) string {
	width := 0
	for _, finding := range result.Findings {
		width = max(width, len(finding.Check))
	}
	var text strings.Builder
	passed, unjudged := 0, 0
	for _, finding := range result.Findings {
		mark, word, tint, detail := "–", "not judged", colourGrey, finding.Note
		switch {
		case finding.Passed():
			mark, word, tint = "✓", "ok", colourGreen
			passed++
		case finding.Err != nil:
			mark, word, tint = "✗", "failed", colourRed
			detail = finding.Err.Error()
		default:
			unjudged++
		}
		begin, end := "", ""
		if colour {
			begin, end = tint, colourEnd
		}
		line := fmt.Sprintf("%s%s %-10s%s  %-*s  %s", begin, mark, word, end, width, finding.Check, detail)
		text.WriteString(strings.TrimRight(line, " ") + "\n")
		if finding.Err != nil {
			fmt.Fprintf(&text, "%*s%s\n", len("x ")+10+2+width+2, "", "fix: "+finding.Err.Reason.Info().Fix)
		}
	}
	if len(result.Personal) > 0 {
		text.WriteString("\npersonal data in the token:\n")
	}
	for _, claim := range result.Personal {
		value := fmt.Sprintf("masked, %d characters", utf8.RuneCountInString(claim.Value))
		if showPersonal {
			value = lti.Excerpt(claim.Value)
		}
		fmt.Fprintf(&text, "  %-20s  %s\n", claim.Name, value)
	}
	fmt.Fprintf(&text, "\ninspect: %d passed, %d failed, %d not judged; state, nonce and browser cannot be judged offline\n", passed, result.Failed(), unjudged)
	return text.String()
}
