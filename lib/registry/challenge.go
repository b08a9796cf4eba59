// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"net/http"
	"strings"
)

// A challenge says how a server wants to be authenticated to: a field
// WWW-Authenticate (RFC 9110, section 11.6.1).
type challenge struct {
	scheme     string            // lower case
	parameters map[string]string // names in lower case
}

// parseChallenges returns the challenges of an answer, without those that are
// malformed.
func parseChallenges(header http.Header) (all []challenge) {
	for _, field := range header.Values("WWW-Authenticate") {
		p := challengeParser{field}
		for p.rest != "" {
			c, ok := p.challenge()
			if !ok {
				break
			}
			all = append(all, c)
		}
	}
	return all
}

// find returns the first challenge with a scheme.
func find(all []challenge, scheme string) (challenge, bool) {
	for _, c := range all {
		if c.scheme == scheme {
			return c, true
		}
	}
	return challenge{}, false
}

// A challengeParser parses a comma-separated list of challenges, each with a
// comma-separated list of parameters.
type challengeParser struct{ rest string }

func (p *challengeParser) challenge() (challenge, bool) {
	p.skip(" \t,")
	c := challenge{scheme: strings.ToLower(p.token()), parameters: map[string]string{}}
	for c.scheme != "" {
		before := p.rest
		p.skip(" \t,")
		name := strings.ToLower(p.token())
		p.skip(" \t")
		if name == "" || !strings.HasPrefix(p.rest, "=") { // the next scheme
			p.rest = before
			break
		}
		p.rest = p.rest[1:]
		p.skip(" \t")
		value, ok := p.value()
		if !ok {
			return c, false
		}
		c.parameters[name] = value
	}
	return c, c.scheme != ""
}

func (p *challengeParser) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

// token returns the token (RFC 9110, section 5.6.2) that comes next, "" for none.
func (p *challengeParser) token() string {
	end := strings.IndexFunc(p.rest, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) })
	if end < 0 {
		end = len(p.rest)
	}
	token := p.rest[:end]
	p.rest = p.rest[end:]
	return token
}

// value returns the token or quoted string that comes next.
func (p *challengeParser) value() (string, bool) {
	if !strings.HasPrefix(p.rest, `"`) { // a URL, though no token, ends only there
		end := strings.IndexAny(p.rest, " \t,")
		if end < 0 {
			end = len(p.rest)
		}
		value := p.rest[:end]
		p.rest = p.rest[end:]
		return value, true
	}
	var text strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return text.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			text.WriteByte(p.rest[i])
		default:
			text.WriteByte(c)
		}
	}
	return "", false
}
