// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/cavaliergopher/cpio"

	"banger/lib/guest"
	"banger/lib/input"
	"banger/lib/kernel"
)

// Own is what an initial ramdisk of Write's has besides banger-init and the
// image's config.
type Own struct {
	Modules []kernel.Module // in load order
	Machine guest.Machine   // zero if it has none

	HasCredentials bool
}

// Personal reports whether the initial ramdisk is for one machine: it has a
// command, credentials or other settings that the image does not have.
func (o Own) Personal() bool { return o.HasCredentials || o.Machine.Differs() }

// ReadOwn reads an initial ramdisk that Write wrote, compressed or not. ok is false
// if it is damaged, or if Write did not write it: it lacks a file that Write always
// writes, has a file that Write never writes, or has its files in another order.
func ReadOwn(r io.Reader) (own Own, ok bool) {
	var o ownReader
	err := walk(r, o.read)
	return o.Own, err == nil && o.files >= len(always)
}

// errForeign says that Write did not write a file.
var errForeign = errors.New("not made by banger")

// always are the first files of what Write writes.
var always = append(directories[:len(directories):len(directories)], guest.InitFile)

// maxOwn bounds what is kept of an initial ramdisk, in bytes. A usual one has a
// few megabytes of modules.
const maxOwn = 256 << 20

// An ownReader reads files in the order in which Write writes them.
type ownReader struct {
	Own
	files     int   // so far
	size      int64 // of what is kept
	documents bool  // the modules are over
}

func (o *ownReader) read(h *cpio.Header, content io.Reader) error {
	o.files++
	switch {
	case o.files <= len(always):
		if h.Name != always[o.files-1] {
			return errForeign
		}
		return nil
	case h.Name == guest.MachineFile: // a second one is WriteMachine's
		o.documents = true
		return o.readMachine(h, content)
	case h.Name == guest.CredentialsDir || path.Dir(h.Name) == guest.CredentialsDir:
		o.documents, o.HasCredentials = true, true
		return nil
	case o.documents:
		return errForeign
	case h.Name == guest.ConfigFile:
		o.documents = true
		return nil
	}
	return o.readModule(h, content)
}

func (o *ownReader) readModule(h *cpio.Header, content io.Reader) error {
	numbered, isModule := strings.CutSuffix(h.Name, moduleSuffix)
	name, isNext := strings.CutPrefix(numbered, modulePrefix(len(o.Modules)))
	if !isModule || !isNext {
		return errForeign
	}
	data, err := o.content(h, content)
	o.Modules = append(o.Modules, kernel.Module{Name: name, Data: data})
	return err
}

// readMachine reads a document that has nothing but what a Machine holds: the
// document of another version may say more.
func (o *ownReader) readMachine(h *cpio.Header, content io.Reader) error {
	raw, err := o.content(h, content)
	if err != nil {
		return err
	}
	o.Machine = guest.Machine{}
	if err := input.Unmarshal(raw, &o.Machine, input.MaxValues); err != nil {
		return err
	}
	if again, err := json.Marshal(o.Machine); err != nil || !bytes.Equal(again, raw) {
		return errForeign
	}
	return nil
}

// content reads a file that is kept.
func (o *ownReader) content(h *cpio.Header, content io.Reader) ([]byte, error) {
	if o.size += h.Size; o.size > maxOwn {
		return nil, errForeign
	}
	data, err := io.ReadAll(content)
	if err == nil && int64(len(data)) < h.Size {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}
