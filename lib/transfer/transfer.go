// SPDX-License-Identifier: Apache-2.0

// Package transfer fetches one blob from one or several hosts into a part file,
// over several connections, and resumes where an earlier run was cut or killed.
// It knows nothing of registries and HTTP: a Host answers one request for a
// range.
//
// The policy:
//
//   - A part file has a map next to it, with the CRC-32C of each MiB that was
//     written. A MiB whose content has that CRC is not fetched again. A complete
//     part file without a map is hashed as a whole.
//   - A blob under 32 MiB is one request. A larger one is cut into segments of at
//     least 16 MiB, a request each: into eight if it is fetched alone, beside others
//     into fewer, in proportion to its share of the bytes. The first segment is the
//     probe: the others start when it is answered with its range.
//   - Who has finished a segment takes over half of the largest rest. When another
//     large blob is complete, its connections do so, too.
//   - A host that fails is left for the next one, in mid-blob. The last host is
//     asked again, as retry.Policy says.
//   - A host that ignores ranges sends the blob as one stream, of which the bytes
//     that the part file has are discarded.
//   - A blob with another digest is dropped and fetched as one stream from the
//     next host, or once more from the last.
package transfer

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"banger/lib/retry"
	"banger/lib/status"
)

// A Blob says what is fetched, and from where.
type Blob struct {
	Digest string // "sha256:" and 64 hexadecimal digits, lower case
	Size   int64  // bytes
	Hosts  []Host // in the order in which they are asked; at least one

	// Share is the blob's part of the bytes that are fetched at the same time, from 0
	// to 1. It is cut into segments for that part of the connections.
	Share float64

	Limiter *Limiter     // shared by all blobs of a run
	Retry   retry.Policy // for the last host

	// Progress, if not nil, is called with the number of bytes that the part file
	// has more; negative if bytes were dropped. Their sum is Size in the end. It is
	// called by several goroutines at a time.
	Progress func(bytes int64)
	// Log, if not nil, is called with each failure that does not end the fetch. It
	// is called by several goroutines at a time.
	Log func(host string, err error)
}

// workers returns how many workers a blob is cut for.
func (b Blob) workers() int64 {
	return max(1, int64(math.Round(min(b.Share, 1)*maxWorkers)))
}

// A Host serves one blob. Its methods are called by several goroutines at a time.
type Host interface {
	// Name returns the host's name and port. Hosts of one name share the limit
	// of connections.
	Name() string

	// Open requests the bytes from, inclusive, to to, exclusive: "bytes=from-(to-1)"
	// in HTTP. For the whole blob, from 0 to its size, it sends no range. It
	// authenticates, follows redirects, and itself limits the time until the
	// answer; the time for the body is limited by the caller. The body ends with an
	// error when ctx ends. An error that is not an *Error is final, unless its code
	// is status.Temporary. An error of reading the body is temporary unless it is
	// an *Error of another kind.
	Open(ctx context.Context, from, to int64) (*Answer, error)
}

// An Answer is a successful response.
type Answer struct {
	Body io.ReadCloser
	// Whole is true if the body is the whole blob (status 200).
	Whole bool
	// From and To are the range of the body (status 206), as Content-Range says; To
	// is exclusive. A range that ends early is followed by a request for the
	// rest. With any other range than the requested one, the host is asked for
	// the whole blob. They are ignored if Whole is true.
	From, To int64
	// Size is the size of the blob as Content-Length (status 200) or Content-Range
	// (206) says, 0 if it is not known. Another size than the blob's is an error
	// of the host.
	Size int64
}

// A Kind says what follows an error of a host. After any error of a host that is
// not the last, the next host is asked.
type Kind int

// The kinds of errors.
const (
	Final     Kind = iota // the same request will fail again
	Temporary             // the same request may succeed later
	NoRanges              // the host has the blob but not the range (status 416): ask for the whole blob
)

// An Error is an error of a host with its kind.
type Error struct {
	Kind  Kind
	After time.Duration // if Temporary: how long the server asks to wait, 0 if it does not
	Err   error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// kindOf returns the kind of an error that a Host returned, and how long to wait.
func kindOf(err error) (Kind, time.Duration) {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Kind, e.After
	}
	if status.Of(err) == status.Temporary {
		return Temporary, 0
	}
	return Final, 0
}
