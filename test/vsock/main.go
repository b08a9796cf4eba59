// SPDX-License-Identifier: Apache-2.0

// Command vsock connects to port 22 of its own machine over vsock and copies its
// standard streams, as a ProxyCommand of ssh does.
package main

import (
	"io"
	"log"
	"os"

	"github.com/mdlayher/vsock"
)

const local = 1 // VMADDR_CID_LOCAL (vsock(7))

func main() {
	c, err := vsock.Dial(local, 22, nil)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		io.Copy(c, os.Stdin)
		c.CloseWrite()
	}()
	io.Copy(os.Stdout, c)
}
