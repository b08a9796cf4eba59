// SPDX-License-Identifier: Apache-2.0

package decompress

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

// TestAheadClose closes a stream in each state. After that neither the stream nor
// its source can be read.
func TestAheadClose(t *testing.T) {
	content := noise(3 << 20)
	whole := gz(content, nil)
	for name, c := range map[string]struct {
		stream []byte
		read   int64
	}{
		"fresh": {whole, 0}, "in a piece": {whole, 1000}, "between pieces": {whole, 480 << 10},
		"at the end": {whole, 4 << 20}, "after an error": {whole[:1<<20], 4 << 20}, "after garbage": {[]byte("garbage, garbage"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			src := &watched{Reader: bytes.NewReader(c.stream)}
			a := newAhead(src)
			got, _ := io.ReadAll(io.LimitReader(a, c.read))
			if !bytes.HasPrefix(content, got) {
				t.Error("other bytes")
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			src.closed = true // the race detector reports any other access
			if n, err := a.Read(make([]byte, 10)); n != 0 || !errors.Is(err, os.ErrClosed) {
				t.Errorf("read after that: %d, %v", n, err)
			}
			if err := a.Close(); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// watched is a source that returns os.ErrClosed once closed is set.
type watched struct {
	io.Reader
	closed bool
}

func (w *watched) Read(p []byte) (int, error) {
	if w.closed {
		return 0, os.ErrClosed
	}
	return w.Reader.Read(p)
}
