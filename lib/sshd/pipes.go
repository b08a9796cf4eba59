// SPDX-License-Identifier: Apache-2.0

package sshd

import "os"

// A pipes holds the server's ends of a session's streams.
type pipes struct{ in, out, err *os.File }

func (p *pipes) close() {
	for _, f := range []*os.File{p.in, p.out, p.err} {
		f.Close()
	}
}

// newPipes returns pipes whose other ends are the user's: to open /dev/stdout a
// process must have rights to it.
func (a Account) newPipes() (ours *pipes, theirs []*os.File, err error) {
	var r, w [3]*os.File
	for i := range r {
		if err == nil {
			r[i], w[i], err = os.Pipe()
		}
		if err == nil {
			err = r[i].Chown(a.UID, a.GID)
		}
	}
	ours, theirs = &pipes{w[0], r[1], r[2]}, []*os.File{r[0], w[1], w[2]}
	if err != nil {
		ours.close()
		closeAll(theirs)
	}
	return ours, theirs, err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
