// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"banger/lib/ext4"
	"banger/lib/input"
	"banger/lib/status"
)

// A Record is image.json. It identifies the image and, once it is published,
// describes its files.
type Record struct {
	Version      int             `json:"version"`
	Reference    string          `json:"reference,omitempty"`
	Digest       digest.Digest   `json:"digest,omitempty"` // of the manifest of the platform
	Platform     string          `json:"platform,omitempty"`
	Created      time.Time       `json:"created,omitzero"`
	Layers       []digest.Digest `json:"layers,omitempty"` // oldest first
	Parent       *Parent         `json:"parent,omitempty"` // of an image that a script has made of another
	Script       *Script         `json:"script,omitempty"` // that made it
	Layout       HostPath        `json:"layout,omitempty"` // where the layers came from, if not the cache; never published
	Entries      int             `json:"entries,omitempty"`
	ContentBytes int64           `json:"content_bytes,omitempty"`
	Blocks       int64           `json:"blocks,omitempty"` // of 4 KiB, not all zeros
	Ext4         *Ext4           `json:"ext4,omitempty"`
	Managed      bool            `json:"managed,omitempty"`
	Registered   time.Time       `json:"registered,omitzero"`
	Kernel       *Kernel         `json:"kernel,omitempty"`
	Initrd       string          `json:"initrd,omitempty"` // if there is no kernel; else Kernel has it
}

// A Parent is an image that another was made of, by a script. One without a parent
// of its own holds what its layers say.
type Parent struct {
	Name      string        `json:"name"`
	SHA256    string        `json:"sha256"` // of its root filesystem
	Reference string        `json:"reference,omitempty"`
	Digest    digest.Digest `json:"digest,omitempty"` // of an image of layers
	Parent    *Parent       `json:"parent,omitempty"`
	Script    *Script       `json:"script,omitempty"`
}

// A Script is what was run to make an image of its parent.
type Script struct {
	SHA256 string   `json:"sha256"`
	Args   []string `json:"args,omitempty"`
}

// A HostPath is an absolute path of the host. In JSON it is percent-encoded, as
// in a file URL: a path need not be UTF-8.
type HostPath string

// MarshalText returns the encoded path.
func (p HostPath) MarshalText() ([]byte, error) {
	return []byte((&url.URL{Path: string(p)}).EscapedPath()), nil
}

// UnmarshalText decodes a path, and refuses one that is not absolute.
func (p *HostPath) UnmarshalText(text []byte) error {
	path, err := url.PathUnescape(string(text))
	if err == nil && (!filepath.IsAbs(path) || strings.ContainsRune(path, 0)) {
		err = fmt.Errorf("layout %q: not an absolute path", text)
	}
	*p = HostPath(path)
	return err
}

// Ext4 describes a root filesystem.
type Ext4 struct {
	Size       int64  `json:"size"` // bytes
	FreeBytes  int64  `json:"free_bytes"`
	FreeInodes int64  `json:"free_inodes"`
	SHA256     string `json:"sha256,omitempty"`
	UUID       string `json:"uuid"`

	BuildInfo
	Image digest.Digest `json:"image,omitempty"` // digest of the image, in FILE.json
}

// BuildInfo holds what the bytes of a root filesystem depend on, besides the image
// and the file contents. It cannot be read from the filesystem.
type BuildInfo struct {
	Recipe   int           `json:"recipe,omitempty"` // ext4.Recipe
	Mkfs     string        `json:"mkfs,omitempty"`   // version of e2fsprogs
	Options  *Settings     `json:"options,omitempty"`
	Manifest digest.Digest `json:"manifest,omitempty"` // of rootfs.mtree
}

// Settings are the options of banger-mkext4.
type Settings struct {
	Populate ext4.Populate `json:"populate"`
	Size     int64         `json:"size,omitempty"`    // bytes, --size SIZE
	Minimal  bool          `json:"minimal,omitempty"` // --size min
	Free     *int64        `json:"free,omitempty"`    // bytes, --free SIZE
}

// Kernel names the boot files of an image, relative to its directory.
type Kernel struct {
	Ref     string `json:"ref,omitempty"`
	Release string `json:"release,omitempty"`
	Vmlinux string `json:"vmlinux"`
	BzImage string `json:"bzImage,omitempty"` // if QEMU cannot boot vmlinux
	Config  string `json:"config,omitempty"`  // kernel configuration
	Initrd  string `json:"initrd,omitempty"`
	Modules string `json:"modules,omitempty"`
}

// ReadDocument reads a document of a bundle, a published image or a kernel. It
// rejects files larger than input.MaxDocument, and symlinks: one made by another
// user could name any file of the reader.
func ReadDocument(path string) ([]byte, error) {
	f, err := input.OpenNoFollow(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return input.ReadAll(f, input.MaxDocument)
}

// ReadJSON reads a document as ReadDocument does and decodes it.
func ReadJSON(path string, into any) error {
	raw, err := ReadDocument(path)
	if err != nil {
		return err
	}
	if err := input.Unmarshal(raw, into, input.MaxValues); err != nil {
		return status.Errorf(status.Bad, "%s: %w", path, err)
	}
	return nil
}

// WriteJSON writes a document to a new file. It refuses one that ReadJSON would.
func WriteJSON(path string, v any) error {
	raw, err := marshal(v)
	if err != nil {
		return err
	}
	if len(raw) > input.MaxDocument {
		return status.Errorf(status.Bad, "%s: too large to be read again: %d bytes (limit %d)", filepath.Base(path), len(raw), input.MaxDocument)
	}
	if err := input.Unmarshal(raw, new(json.RawMessage), input.MaxValues); err != nil {
		return status.Errorf(status.Bad, "%s: cannot be read again: %w", filepath.Base(path), err)
	}
	return writeNew(path, func(f io.Writer) error { _, err := f.Write(raw); return err })
}

// maxIndented is the size in bytes of the largest document that is indented. The
// indentation of parents of parents grows with the square of their number.
const maxIndented = 64 << 10

// marshal encodes a document with a final newline, and indents it unless it is large.
func marshal(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if len(raw) <= maxIndented {
		raw, err = json.MarshalIndent(v, "", "  ")
	}
	return append(raw, '\n'), err
}

// writeNew writes a new file. It fails if the file exists.
func writeNew(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	err = write(f)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// ReadRecord reads an image.json.
func ReadRecord(path string) (*Record, error) {
	r := new(Record)
	if err := ReadJSON(path, r); err != nil {
		return nil, err
	}
	if r.Version != 1 {
		return nil, status.Errorf(status.Bad, "%s: unsupported version %d", path, r.Version)
	}
	return r, nil
}
