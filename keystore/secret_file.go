// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"bytes"
	"fmt"
)

// ReadSecretFile reads a secret from a regular file that nobody but its owner can read, as the key directory's files
// are. One line break at its end is not part of the secret. Errors name the path and the fix, never the content.
func ReadSecretFile(path string) (string, error) {
	content, err := readPrivateFile(path)
	if err != nil {
		return "", err
	}
	content = bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r"))
	if len(bytes.TrimSpace(content)) == 0 {
		return "", fmt.Errorf("%s is empty: write the secret into it", path)
	}
	return string(content), nil
}
