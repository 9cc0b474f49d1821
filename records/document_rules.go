// SPDX-License-Identifier: Apache-2.0

package records

// CheckKind returns ErrInvalid where a kind is outside its limits.
func CheckKind(kind string) error {
	if !isName(kind, MaxKindLength) {
		return invalid("the kind %.100q is not 1 to %d of a-z, 0-9, _ and -", kind, MaxKindLength)
	}
	return nil
}

// CheckKey returns ErrInvalid where a kind or a key is outside its limits.
func CheckKey(kind, key string) error {
	if err := CheckKind(kind); err != nil {
		return err
	}
	if len(key) == 0 || len(key) > MaxKeyLength {
		return invalid("the key has %d bytes, from 1 to %d", len(key), MaxKeyLength)
	}
	return nil
}

// CheckList returns ErrInvalid where the arguments of Store.List are outside their limits.
func CheckList(kind, after string, limit int) error {
	if err := CheckKind(kind); err != nil {
		return err
	}
	if len(after) > MaxKeyLength {
		return invalid("the key has %d bytes, at most %d", len(after), MaxKeyLength)
	}
	if limit < 1 || limit > MaxPage {
		return invalid("the limit is %d, from 1 to %d", limit, MaxPage)
	}
	return nil
}
