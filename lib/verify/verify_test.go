// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"os"
	"testing"

	"banger/lib/status"
)

// Failing to read either side is an error, not a difference.
func TestErrors(t *testing.T) {
	image := oneLayer(plain()...).image(t)
	file := ext4Of(t, flatten(t, image), direct)
	failed := errors.New("failed")
	ended, end := context.WithCancel(t.Context())
	end()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		file   string
		source Source
		want   error
	}{
		{"the source", t.Context(), file, func(context.Context) (*Want, error) { return nil, failed }, failed},
		{"the context", ended, file, layersOf(image), context.Canceled},
		{"no file", t.Context(), file + "-none", layersOf(image), os.ErrNotExist},
	} {
		none := func(d Difference) { t.Errorf("%s: %v", c.name, d) }
		if want, err := Image(c.ctx, c.file, c.source, none); !errors.Is(err, c.want) || want != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// A file that is not an image is an error of the image.
func TestNotAnImage(t *testing.T) {
	file := t.TempDir() + "/x"
	write(t, file, make([]byte, 1<<20))
	all, err := differences(t, file, layersOf(oneLayer(plain()...).image(t)))
	if status.Of(err) != status.Bad || len(all) > 0 {
		t.Errorf("%v %v", err, all)
	}
}
