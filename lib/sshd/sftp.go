// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"errors"
	"io"
	"os"

	"github.com/pkg/sftp"
)

// standardStreams are the helper's standard input and output.
type standardStreams struct{}

func (standardStreams) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (standardStreams) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (standardStreams) Close() error                { return errors.Join(os.Stdin.Close(), os.Stdout.Close()) }

// serveSFTP serves sftp on the standard streams until the client ends it. Paths
// start at the working directory.
func serveSFTP() (status int, err error) {
	server, err := sftp.NewServer(standardStreams{})
	if err != nil {
		return cannotStart, err
	}
	if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) {
		return 1, err
	}
	return 0, nil
}
