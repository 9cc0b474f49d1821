// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/ltisidecar/ltisidecar/jose"
)

// openDirectory opens the key directory, after making it where that is allowed. A symbolic link is refused, as what is
// checked must be what is used.
func openDirectory(path string, create bool) (*os.File, error) {
	path = filepath.Clean(path) // with a slash at its end a link would be followed
	if create {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("make the key directory: %w", err)
		}
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("the key directory %s does not exist: let the sidecar make it at its first start, or restore it from a backup", path)
	case err != nil:
		return nil, err
	case info.Mode()&os.ModeSymlink != 0:
		return nil, fmt.Errorf("the key directory %s is a symbolic link: name the directory itself", path)
	case !info.IsDir():
		return nil, fmt.Errorf("the key directory %s is not a directory: move it away", path)
	}
	directory, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	opened, err := directory.Stat()
	if err == nil && !os.SameFile(info, opened) {
		err = fmt.Errorf("the key directory %s was replaced while it was opened", path)
	}
	if err == nil {
		err = checkPrivate(path, opened, "700")
	}
	if err != nil {
		directory.Close()
		return nil, err
	}
	return directory, nil
}

// readPrivateFile reads a small regular file that nobody else can read.
func readPrivateFile(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: put the file itself there, not a link", path)
	}
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	opened, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(info, opened) {
		return nil, fmt.Errorf("%s was replaced while it was opened", path)
	}
	if err := checkPrivate(path, opened, "600"); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(file, maxKeyFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxKeyFileSize {
		return nil, fmt.Errorf("%s is larger than %d bytes, so it is no key", path, maxKeyFileSize)
	}
	return content, nil
}

// createFirstKeys makes a tool key and token.key in a directory that has neither. The tool key comes first: token.key
// alone then always means that tool keys were lost, and they are never silently replaced. A lock keeps two processes
// that start together from both making keys.
func createFirstKeys(directory *os.File, config ToolKeysConfig) error {
	if err := lockFile(directory); err != nil {
		return fmt.Errorf("lock the key directory %s: %w", directory.Name(), err)
	}
	names, err := toolKeyNames(config.Directory)
	if err != nil {
		return err
	}
	sealKey := filepath.Join(config.Directory, sealKeyName)
	_, err = os.Lstat(sealKey)
	sealKeyMissing := errors.Is(err, os.ErrNotExist)
	if err != nil && !sealKeyMissing {
		return err
	}
	if leftovers, err := filepath.Glob(filepath.Join(config.Directory, temporaryName)); err == nil {
		for _, leftover := range leftovers { // of a first start that was cut short
			if err := os.Remove(leftover); err != nil {
				return err
			}
		}
	}
	if len(names) == 0 {
		if !sealKeyMissing {
			return fmt.Errorf("%s holds %s but no tool key, so tool keys were lost: restore them from a backup, or remove %s to begin anew and register the new keys with every platform",
				config.Directory, sealKeyName, sealKey)
		}
		key, err := jose.GenerateSigningKey(config.KeyBits)
		if err != nil {
			return err
		}
		text, err := key.PEM()
		if err != nil {
			return err
		}
		name := fileNameOf(config.Now().UTC().Format(keyTimeFormat), key)
		if err := writePrivateFile(directory, filepath.Join(config.Directory, name), text); err != nil {
			return err
		}
	}
	if !sealKeyMissing {
		return nil
	}
	secret := make([]byte, chacha20poly1305.KeySize)
	if _, err := io.ReadFull(config.Rand, secret); err != nil {
		return fmt.Errorf("make %s: %w", sealKey, err)
	}
	return writePrivateFile(directory, sealKey, secret)
}

// writePrivateFile puts a file into the directory whole and durably, or not at all.
func writePrivateFile(directory *os.File, path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), temporaryName) // 0600
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	if err := syncDirectory(directory); err != nil {
		return fmt.Errorf("make %s durable: %w", path, err)
	}
	return nil
}
