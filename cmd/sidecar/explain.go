// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ltisidecar/ltisidecar/docs"
	"github.com/ltisidecar/ltisidecar/lti"
)

const maxReasonLength = 128 // bytes of an argument that is compared with the reasons

// newExplain returns `sidecar explain`.
func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [REASON]",
		Short: "Say what a reason of an error means and what to do; without a reason, list them all",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			out := command.OutOrStdout()
			if len(args) == 0 {
				return listReasons(out)
			}
			name := strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(args[0]), "-", "_"))
			section, ok := docs.ErrorSection(name)
			if !ok {
				return fmt.Errorf("there is no reason %q; did you mean %s? `sidecar explain` lists all", lti.Excerpt(args[0]), strings.Join(nearestReasons(name), ", "))
			}
			_, err := fmt.Fprintf(out, "%s\n\n%s", name, plainText(section))
			return err
		},
	}
}

func listReasons(out io.Writer) error {
	width := 0
	for _, info := range lti.Reasons() {
		width = max(width, len(info.Reason))
	}
	var text strings.Builder
	for _, info := range lti.Reasons() {
		fmt.Fprintf(&text, "%-*s  %s\n", width, info.Reason, info.Summary)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// nearestReasons returns the three reasons that look most like a name: those that contain it, then by the number of
// letters to change.
func nearestReasons(name string) []string {
	name = name[:min(len(name), maxReasonLength)]
	type candidate struct {
		name     string
		distance int
	}
	var candidates []candidate
	for _, info := range lti.Reasons() {
		distance := editDistance(string(info.Reason), name)
		if len(name) >= 3 && strings.Contains(string(info.Reason), name) {
			distance = 0
		}
		candidates = append(candidates, candidate{string(info.Reason), distance})
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, c := range candidates[:3] {
		names = append(names, c.name)
	}
	return names
}

// editDistance counts the bytes to add, remove or change to make one text of the other.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

const textWidth = 80 // columns

// plainText makes text for a terminal of the Markdown that docs/errors.md uses: paragraphs, labels in bold, lists,
// code in back quotes and in fences.
func plainText(markdown string) string {
	var text strings.Builder
	var paragraph []string
	isList := false
	flush := func() {
		if len(paragraph) > 0 {
			indent := ""
			if isList {
				indent = "  "
			}
			writeWrapped(&text, strings.Join(paragraph, " "), indent)
		}
		paragraph, isList = nil, false
	}
	inCode := false
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			flush()
			inCode = !inCode
		case inCode:
			text.WriteString("    " + line + "\n")
		case line == "":
			flush()
			text.WriteByte('\n')
		case strings.HasPrefix(line, "- "):
			flush()
			paragraph, isList = []string{line}, true
		default:
			paragraph = append(paragraph, strings.TrimSpace(line))
		}
	}
	flush()
	return text.String()
}

var inlineMarks = strings.NewReplacer("**", "", "`", "")

// writeWrapped writes a paragraph in lines of at most textWidth columns; a longer word has a line of its own.
func writeWrapped(text *strings.Builder, paragraph, indent string) {
	column := 0
	for _, word := range strings.Fields(inlineMarks.Replace(paragraph)) {
		switch {
		case column == 0:
		case column+1+len(word) > textWidth:
			text.WriteString("\n" + indent)
			column = len(indent)
		default:
			text.WriteByte(' ')
			column++
		}
		text.WriteString(word)
		column += len(word)
	}
	text.WriteByte('\n')
}
