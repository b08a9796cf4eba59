// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/status"
)

// Documents are the documents next to an ext4 file that describe it.
type Documents struct {
	*Record        // zero if the file has none
	Made    *Ext4  // FILE.json, nil if the file has none
	Config  string // path of config.json, "" if the file has none
}

// ReadDocuments reads the documents next to an ext4 file. If the file has a
// FILE.json, image.json must be of the same image.
func ReadDocuments(rootfs string) (d Documents, err error) {
	d.Record = &Record{Version: 1}
	made := new(Ext4)
	switch err := ReadJSON(rootfs+Ext4Record, made); {
	case err == nil:
		d.Made = made
	case !errors.Is(err, fs.ErrNotExist):
		return d, err
	}
	r, err := ReadRecord(filepath.Join(filepath.Dir(rootfs), RecordFile))
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && d.Made != nil && made.Image == "" && r.Digest != "":
		return d, nil // no record, or not of this file, which holds a plain directory
	case err != nil:
		return d, err
	case d.Made != nil && made.Image != r.Digest:
		return d, status.Hint(status.Errorf(status.Bad, "%s: image.json is of another image", rootfs),
			"recreate both with banger-mkext4 -f -o %s BUNDLE", rootfs)
	}
	d.Record = r
	config := filepath.Join(filepath.Dir(rootfs), ConfigFile)
	if _, err := os.Lstat(config); err == nil {
		d.Config = config
	}
	return d, nil
}
