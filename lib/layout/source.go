// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"archive/tar"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"banger/lib/input"
	"banger/lib/status"
)

// CheckReference returns an error with status.Usage if s is a path, a URL, an
// archive or a source in the notation of skopeo(1) rather than a reference to
// an image in a registry. The hint is the command that reads it.
func CheckReference(s string) error {
	const want, fetch = "an image reference", "banger-fetch %s"
	if !isPath(s) {
		return checkSource(s, want, fetch)
	}
	if _, err := ParseRef(s); err == nil {
		return misplaced(s, "a path", want, "banger-flatten "+shellWord(s))
	}
	if isRegular(s) {
		return misplaced(s, "a file", want, readArchive(s, fetch))
	}
	return misplaced(s, "a path", want, "")
}

func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isPath(s string) bool {
	return strings.HasPrefix(s, "/") || s == "." || s == ".." || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../")
}

// transports are those of containers-transports(5) that banger-fetch does not read,
// and whose images skopeo copies into a layout.
var transports = []string{"docker-daemon", "containers-storage", "dir"}

// checkSource returns an error if s is a URL, a source of skopeo or of banger-fetch,
// or the name of an archive. fetch is the command for what banger-fetch reads.
func checkSource(s, want, fetch string) error {
	transport, rest, found := strings.Cut(s, ":")
	switch {
	case found && rest == "":
		return nil
	case found && strings.HasPrefix(rest, "//"):
		if rest = repository(rest[2:]); !referenceForm.MatchString(rest) {
			return misplaced(s, "a URL", want, "")
		}
		return misplaced(s, "a URL", want, fmt.Sprintf(fetch, rest))
	case found && transport == "oci":
		return misplaced(s, "a source of skopeo", want, "banger-flatten "+shellWord(rest))
	case found && (transport == "docker-archive" || transport == "oci-archive"):
		return misplaced(s, "a source of banger-fetch", want, fmt.Sprintf(fetch, shellWord(s)))
	case found && slices.Contains(transports, transport):
		return misplaced(s, "a source of skopeo", want, copyInto(s, rest))
	case archiveSuffix(s) != "":
		return misplaced(s, "an archive", want, readArchive(s, fetch))
	}
	return nil
}

func misplaced(s, what, want, command string) error {
	err := status.Errorf(status.Usage, "%s: %s, not %s", s, what, want)
	if command == "" {
		return err
	}
	return status.Hint(err, "%s", command)
}

// referenceForm is the form of image references that a shell takes for one word.
var referenceForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]+/[a-z0-9._-]+)?(/[a-z0-9._-]+)*(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?$`)

// repository returns the reference that a URL without its scheme means. Pages
// of Docker Hub are not on the registry's host.
func repository(rest string) string {
	for _, page := range []string{"hub.docker.com/_/", "hub.docker.com/r/"} {
		rest = strings.TrimPrefix(rest, page)
	}
	return strings.TrimSuffix(rest, "/")
}

// readArchive returns the command that reads the image in an archive: skopeo's for
// a root filesystem, else fetch.
func readArchive(file, fetch string) string {
	source := archiveTransport(file) + ":" + file
	if strings.HasPrefix(source, "tarball:") {
		return copyInto(source, file)
	}
	return fmt.Sprintf(fetch, shellWord(source))
}

// copyInto returns the commands that copy an image into a layout by skopeo and
// flatten it. The layout is called after the image in the working directory.
func copyInto(source, image string) string {
	dir, _, _ := strings.Cut(image, ":")
	dir = path.Base(dir)
	dir = strings.TrimSuffix(dir, archiveSuffix(dir))
	if _, err := os.Lstat(dir); err == nil {
		dir += ".oci"
	}
	to := shellWord(dir + ":1")
	return fmt.Sprintf("skopeo copy %s oci:%s && banger-flatten %s", shellWord(source), to, to)
}

func archiveSuffix(file string) string {
	for _, suffix := range []string{".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2"} {
		if len(file) > len(suffix) && strings.HasSuffix(file, suffix) {
			return suffix
		}
	}
	return ""
}

// archiveTransport returns the transport of containers-transports(5) for an archive:
// docker-archive for what docker save writes, oci-archive for a layout, tarball
// for a root filesystem. A compressed archive is taken for one of docker save.
func archiveTransport(file string) string {
	f, err := input.Open(file)
	if err != nil {
		return "docker-archive"
	}
	defer f.Close()
	transport := "docker-archive"
	for members := tar.NewReader(f); ; {
		member, err := members.Next()
		if err != nil {
			return transport
		}
		switch path.Clean(member.Name) {
		case "manifest.json":
			return "docker-archive"
		case "oci-layout":
			transport = "oci-archive"
		default:
			if transport != "oci-archive" {
				transport = "tarball"
			}
		}
	}
}
