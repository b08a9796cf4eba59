// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/status"
)

// Documents are what lies beside an ext4 file and tells what it is.
type Documents struct {
	*Record        // empty if there is none of this file
	Made    *Ext4  // FILE.json, nil if there is none
	Config  string // the path of config.json, "" if there is none of this file
}

// ReadDocuments reads what lies beside an ext4 file. FILE.json tells which
// image the file holds, if it is there.
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
		return d, nil // no record, or not of this file: it is of a plain directory
	case err != nil:
		return d, err
	case d.Made != nil && made.Image != r.Digest:
		return d, status.Hint(status.Errorf(status.Bad, "%s: the image.json beside it is of another image", rootfs),
			"banger-mkext4 -f -o makes them anew")
	}
	d.Record = r
	config := filepath.Join(filepath.Dir(rootfs), ConfigFile)
	if _, err := os.Lstat(config); err == nil {
		d.Config = config
	}
	return d, nil
}
