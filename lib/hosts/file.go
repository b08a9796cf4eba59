// SPDX-License-Identifier: Apache-2.0

package hosts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"

	"banger/lib/input"
	"banger/lib/status"
)

// maxFile limits a hosts.toml, in bytes.
const maxFile = 1 << 20

// A file is a hosts.toml. The keys outside of a host table are of the server.
type file struct {
	Server address          `toml:"server"`
	Hosts  map[string]table `toml:"host"`
	table
}

// A table has the keys of one host. Keys that a fetch does not need are accepted.
type table struct {
	Capabilities capabilities `toml:"capabilities"`
	CA           list         `toml:"ca"`
	Client       client       `toml:"client"`
	SkipVerify   flag         `toml:"skip_verify"`
	Header       header       `toml:"header"`
	OverridePath flag         `toml:"override_path"`
	DialTimeout  duration     `toml:"dial_timeout"`
}

// readFile reads a hosts.toml. The error is fs.ErrNotExist if there is none.
func readFile(path, registry string, warn func(string)) ([]Host, error) {
	raw, err := input.ReadFile(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, unusable(err)
	}
	var f file
	meta, err := toml.Decode(string(raw), &f)
	if err != nil {
		return nil, explain(path, raw, err)
	}
	r := reader{path: path, text: string(raw)}
	if kind := meta.Type("host"); kind != "" && kind != "Hash" { // toml leaves it out in silence
		return nil, status.Errorf(status.Usage, "%s:%d: host is not a table", path, r.line("host"))
	}
	for _, key := range meta.Undecoded() {
		warn(fmt.Sprintf("%s: unknown key %s", path, key))
	}
	return r.hosts(&f, hostOrder(meta), registry)
}

// hostOrder returns the URLs of the host tables in the order of the file.
func hostOrder(meta toml.MetaData) (order []string) {
	seen := map[string]bool{}
	for _, key := range meta.Keys() {
		if len(key) >= 2 && key[0] == "host" && !seen[key[1]] {
			seen[key[1]] = true
			order = append(order, key[1])
		}
	}
	return order
}

// position matches the place in a toml error that is no toml.ParseError.
var position = regexp.MustCompile(`^toml: (?:line (\d+) )?(?:\(last key [^)]*\): )?`)

// explain returns an error of toml with the path and line of the file.
func explain(path string, raw []byte, err error) error {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		before := raw[:min(parse.Position.Start, len(raw))] // Line is that after a line that ends too early
		return status.Errorf(status.Usage, "%s:%d: %s", path, 1+bytes.Count(before, []byte("\n")), parse.Message)
	}
	text, line := err.Error(), "1"
	if m := position.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if m[1] != "" {
			line = m[1]
		}
	}
	return status.Errorf(status.Usage, "%s:%s: %s", path, line, text)
}

// A reader makes hosts of the tables of one file.
type reader struct{ path, text string }

func (r *reader) hosts(f *file, order []string, registry string) ([]Host, error) {
	var all []Host
	for _, from := range order {
		h, err := r.host(from, f.Hosts[from])
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	last := server(registry)
	from := string(f.Server)
	if from == "" {
		from = last.URL.Scheme + "://" + last.URL.Host
	}
	h, err := r.host(from, f.table)
	if err != nil {
		return nil, err
	}
	h.Configured = f.Server != ""
	return append(all, h), nil
}

// host returns the host with a URL and the keys of its table.
func (r *reader) host(from string, t table) (Host, error) {
	u, err := parseURL(from, bool(t.OverridePath))
	if err != nil {
		return Host{}, status.Errorf(status.Usage, "%s:%d: %w", r.path, r.line(from), err)
	}
	h := Host{URL: u, Header: t.Header, DialTimeout: t.DialTimeout.Duration, Configured: true}
	h.Resolve, h.Pull = t.Capabilities.has("resolve"), t.Capabilities.has("pull")
	if h.TLS, err = configure(r.paths(t.CA), r.pairs(t.Client), bool(t.SkipVerify)); err != nil {
		return Host{}, status.Errorf(status.Usage, "%s:%d: %w", r.path, r.line(from), err)
	}
	return h, nil
}

// line returns the first line that has a text, 1 if none has it as it is.
func (r *reader) line(text string) int {
	at := strings.Index(r.text, text)
	return 1 + strings.Count(r.text[:max(at, 0)], "\n")
}

// paths returns paths, which may be relative to the file's directory.
func (r *reader) paths(names []string) (all []string) {
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(r.path), name)
		}
		all = append(all, name)
	}
	return all
}

func (r *reader) pairs(names []pair) (all []pair) {
	for _, p := range names {
		both := r.paths([]string{p.cert, p.key})
		all = append(all, pair{both[0], both[1]})
	}
	return all
}

// parseURL returns the root of a host's API. A URL without a scheme is of https;
// /v2 is appended to its path unless the path is the whole root.
func parseURL(from string, overridePath bool) (*url.URL, error) {
	text := from
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil: // the error would quote the URL, which may hold a password
		return nil, errors.New("malformed URL of a host")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("host %s: neither http nor https", u.Redacted())
	case u.Host == "":
		return nil, fmt.Errorf("%q: a URL without a host", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("host %s: user and password in the URL: use docker login, or header", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("host %s: query or fragment in the URL", u.Host)
	}
	p := path.Clean("/" + u.Path)
	if !overridePath && !strings.HasSuffix(p, "/v2") {
		p = path.Join(p, "v2")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(p, "/")}, nil
}
