// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/json"
	"io"
	"os"
	"time"

	"github.com/opencontainers/go-digest"

	"banger/lib/ext4"
	"banger/lib/input"
	"banger/lib/status"
)

// A Record is image.json: what image it is, and, once published, what it is
// published with.
type Record struct {
	Version      int             `json:"version"`
	Reference    string          `json:"reference,omitempty"`
	Digest       digest.Digest   `json:"digest,omitempty"` // of the platform's manifest
	Platform     string          `json:"platform,omitempty"`
	Created      time.Time       `json:"created,omitzero"`
	Layers       []digest.Digest `json:"layers,omitempty"` // oldest first
	Entries      int             `json:"entries,omitempty"`
	ContentBytes int64           `json:"content_bytes,omitempty"`
	Blocks       int64           `json:"blocks,omitempty"` // of 4 KiB, that are not all zeros
	Ext4         *Ext4           `json:"ext4,omitempty"`
	Managed      bool            `json:"managed,omitempty"`
	Registered   time.Time       `json:"registered,omitzero"`
	Kernel       *Kernel         `json:"kernel,omitempty"`
}

// Ext4 describes the root filesystem.
type Ext4 struct {
	Size       int64  `json:"size"` // bytes
	FreeBytes  int64  `json:"free_bytes"`
	FreeInodes int64  `json:"free_inodes"`
	SHA256     string `json:"sha256,omitempty"`
	UUID       string `json:"uuid"`

	Making
	Image digest.Digest `json:"image,omitempty"` // in FILE.json: what image it holds
}

// Making is what the bytes of a root filesystem depend on, beside the image and
// the contents of the files: the file itself does not tell.
type Making struct {
	Recipe   int           `json:"recipe,omitempty"` // as in ext4.Recipe
	Mkfs     string        `json:"mkfs,omitempty"`   // version of e2fsprogs
	Options  *Settings     `json:"options,omitempty"`
	Manifest digest.Digest `json:"manifest,omitempty"` // the rootfs.mtree it was made of
}

// Settings are the options that banger-mkext4 was given.
type Settings struct {
	Populate ext4.Populate `json:"populate"`
	Size     int64         `json:"size,omitempty"`    // bytes, --size SIZE
	Minimal  bool          `json:"minimal,omitempty"` // --size min
	Free     *int64        `json:"free,omitempty"`    // bytes, --free SIZE
}

// Kernel names the files that boot the image, relative to its directory.
type Kernel struct {
	Ref     string `json:"ref,omitempty"`
	Release string `json:"release,omitempty"`
	Vmlinux string `json:"vmlinux"`
	BzImage string `json:"bzImage,omitempty"` // where QEMU cannot enter vmlinux
	Config  string `json:"config,omitempty"`  // the configuration of the kernel
	Initrd  string `json:"initrd,omitempty"`
	Modules string `json:"modules,omitempty"`
}

// ReadDocument reads a document that lies in a bundle, a published image or a
// kernel. It is a file of input.MaxDocument bytes at most, and no symlink: what
// somebody else made could name any file of the reader's.
func ReadDocument(path string) ([]byte, error) {
	f, err := input.OpenNoFollow(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return input.ReadAll(f, input.MaxDocument)
}

// ReadJSON decodes a document. See ReadDocument.
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

// WriteJSON writes one of banger's documents into a new file.
func WriteJSON(path string, v any) error {
	raw, err := marshal(v)
	if err != nil {
		return err
	}
	return writeNew(path, func(f io.Writer) error { _, err := f.Write(raw); return err })
}

// marshal returns a document as it stands in a file.
func marshal(v any) ([]byte, error) {
	raw, err := json.MarshalIndent(v, "", "  ")
	return append(raw, '\n'), err
}

// writeNew writes a file that is not there yet.
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

// ReadRecord reads image.json.
func ReadRecord(path string) (*Record, error) {
	r := new(Record)
	if err := ReadJSON(path, r); err != nil {
		return nil, err
	}
	if r.Version != 1 {
		return nil, status.Errorf(status.Bad, "%s: version %d is unknown", path, r.Version)
	}
	return r, nil
}
