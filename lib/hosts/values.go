// SPDX-License-Identifier: Apache-2.0

package hosts

// Each value decodes itself, so that an error of toml has the value's line.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A flag is a boolean.
type flag bool

// UnmarshalTOML implements toml.Unmarshaler.
func (f *flag) UnmarshalTOML(v any) error {
	b, ok := v.(bool)
	if !ok {
		return errors.New("not true or false")
	}
	*f = flag(b)
	return nil
}

// An address is the URL of the server.
type address string

// UnmarshalTOML implements toml.Unmarshaler.
func (a *address) UnmarshalTOML(v any) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("server is not a string")
	}
	*a = address(s)
	return nil
}

// A list is one string or an array of them.
type list []string

// UnmarshalTOML implements toml.Unmarshaler.
func (l *list) UnmarshalTOML(v any) (err error) {
	*l, err = stringList(v)
	return err
}

func stringList(v any) ([]string, error) {
	values, ok := v.([]any)
	if !ok {
		values = []any{v}
	}
	var all []string
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, errors.New("neither a string nor an array of strings")
		}
		all = append(all, s)
	}
	return all, nil
}

// capabilities are what a host may be asked for, nil for everything.
type capabilities []string

// UnmarshalTOML implements toml.Unmarshaler.
func (c *capabilities) UnmarshalTOML(v any) error {
	all, err := stringList(v)
	if err != nil {
		return err
	}
	for _, s := range all {
		s = strings.ToLower(s)
		if !slices.Contains([]string{"pull", "resolve", "push", "referrers"}, s) {
			return fmt.Errorf("unknown capability %q: pull, resolve, push and referrers are known", s)
		}
		*c = append(*c, s)
	}
	return nil
}

func (c capabilities) has(s string) bool { return len(c) == 0 || slices.Contains(c, s) }

// A client is a file with certificate and key, an array of such files, or an array
// of arrays [certificate, key].
type client []pair

// UnmarshalTOML implements toml.Unmarshaler.
func (c *client) UnmarshalTOML(v any) error {
	values, ok := v.([]any)
	if !ok {
		values = []any{v}
	}
	for _, v := range values {
		files, err := stringList(v)
		switch {
		case err != nil:
			return err
		case len(files) == 1:
			*c = append(*c, pair{files[0], files[0]})
		case len(files) == 2 && files[1] == "": // the key is in the same file
			*c = append(*c, pair{files[0], files[0]})
		case len(files) == 2:
			*c = append(*c, pair{files[0], files[1]})
		default:
			return fmt.Errorf("%d files for a certificate and its key", len(files))
		}
	}
	return nil
}

// tokens are the characters of a field's name (RFC 9110, section 5.6.2).
const tokens = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// A header has fields for requests, each with a string or an array of them.
type header map[string][]string

// UnmarshalTOML implements toml.Unmarshaler.
func (h *header) UnmarshalTOML(v any) error {
	fields, ok := v.(map[string]any)
	if !ok {
		return errors.New("header is not a table")
	}
	*h = header{}
	for name, v := range fields {
		values, err := stringList(v)
		if err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
		if name == "" || strings.Trim(name, tokens) != "" {
			return fmt.Errorf("header %q: not the name of a field", name)
		}
		for _, value := range values {
			if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				return fmt.Errorf("header %s: a control character in the value", name)
			}
		}
		(*h)[name] = values
	}
	return nil
}

// A duration is a string such as "3s". containerd's dial_timeout is one.
type duration struct{ time.Duration }

// UnmarshalTOML implements toml.Unmarshaler.
func (d *duration) UnmarshalTOML(v any) (err error) {
	s, _ := v.(string)
	if d.Duration, err = time.ParseDuration(s); err != nil || d.Duration <= 0 {
		return errors.New(`dial_timeout is not a string such as "3s"`)
	}
	return nil
}
