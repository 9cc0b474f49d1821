// SPDX-License-Identifier: Apache-2.0

package ltisidecar_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestConfigIsDocumented holds docs/config.md to the configuration: each key has one row, each row is a key.
func TestConfigIsDocumented(t *testing.T) {
	paths, err := filepath.Glob("cmd/sidecar/config*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	keys := configKeys(files, "Config", "")
	if len(keys) < 20 {
		t.Fatalf("only %d keys found in %q: %q", len(keys), paths, keys)
	}
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|").FindAllStringSubmatch(readFile(t, "docs/config.md"), -1) {
		rows = append(rows, m[1])
	}
	for _, key := range keys {
		if !slices.Contains(rows, key) {
			t.Errorf("docs/config.md has no row for %s", key)
		}
	}
	for i, row := range rows {
		if !slices.Contains(keys, row) {
			t.Errorf("docs/config.md describes %s, which is not a key", row)
		}
		if slices.Index(rows, row) != i {
			t.Errorf("docs/config.md describes %s twice", row)
		}
	}
}

// configKeys lists the keys of a struct type by its yaml tags: those of a nested struct with its name before them, as
// in listen.tcp, those of a list's entries without.
func configKeys(files []*ast.File, typeName, prefix string) []string {
	var keys []string
	for _, field := range structFields(files, typeName) {
		if field.Tag == nil {
			continue
		}
		name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		inner := field.Type
		before := prefix + name + "."
		if list, ok := inner.(*ast.ArrayType); ok {
			inner, before = list.Elt, ""
		}
		var nested []string
		if ident, ok := inner.(*ast.Ident); ok {
			nested = configKeys(files, ident.Name, before)
		}
		if nested == nil {
			nested = []string{prefix + name}
		}
		keys = append(keys, nested...)
	}
	return keys
}

func structFields(files []*ast.File, typeName string) []*ast.Field {
	for _, file := range files {
		for _, declaration := range file.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok && named.Name.Name == typeName {
					if structure, ok := named.Type.(*ast.StructType); ok {
						return structure.Fields.List
					}
				}
			}
		}
	}
	return nil
}
