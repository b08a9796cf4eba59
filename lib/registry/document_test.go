// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"banger/lib/input"
	"banger/lib/status"
)

// A document that is too large is not read: not one that says so, nor more of
// one that does not, whatever comes with it.
func TestLargeDocuments(t *testing.T) {
	zeros := make([]byte, 1<<20)
	for name, length := range map[string]int64{"said": 1 << 40, "just said": input.MaxDocument + 1, "not said": -1} {
		wrote := 0
		done := make(chan struct{})
		err := pullAnswers(t, newTestSource(t), func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				return
			}
			defer close(done)
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			if length >= 0 {
				w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
			}
			for r.Context().Err() == nil && wrote < 1<<30 {
				n, _ := w.Write(zeros)
				wrote += n
			}
		})
		if status.Of(err) != status.Bad || !strings.Contains(err.Error(), strconv.Itoa(input.MaxDocument)) {
			t.Errorf("%s: status %d, %v", name, status.Of(err), err)
		}
		if <-done; wrote >= 1<<29 { // what lies in buffers is not much
			t.Errorf("%s: sent %d bytes", name, wrote)
		}
	}
}

// The largest that is allowed is taken: this one is no manifest.
func TestLargestDocument(t *testing.T) {
	err := pullAnswers(t, newTestSource(t), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Write([]byte("{" + strings.Repeat(" ", input.MaxDocument-2) + "}"))
	})
	if status.Of(err) != status.Bad || !strings.Contains(err.Error(), "schemaVersion 0") {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
}
