// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestTarGzip checks that banger-tar -z writes the same bytes on any number of
// processors and for any user, and that every gzip reader decompresses them to
// banger-tar's archive.
func TestTarGzip(t *testing.T) {
	needRoot(t)
	need(t, "umoci", "skopeo", "gzip", "pigz", "tar", "bsdtar")
	u := newUser(t, nobody)
	place := u.place(t)
	layer := append(tarEntries(), file("opt/blocks", string(smallNoise(1, 5<<20))), file("opt/holes", strings.Repeat("\x00", 3<<20)))
	source := makeImage(t, filepath.Join(place, "layout"), "1", writeLayer(t, place, 1, layer))
	bundle := u.flattened(t, source, "x")
	plain, archive := u.tar(t, bundle), u.written(t, u.command("banger-tar", "-z", bundle))
	manifest := read(t, filepath.Join(bundle, "rootfs.mtree"))

	for name, cmd := range map[string]*exec.Cmd{
		"one processor":    withEnv(u.command("banger-tar", "-z", bundle), "GOMAXPROCS=1"),
		"two processors":   withEnv(u.command("banger-tar", "-z", bundle), "GOMAXPROCS=2"),
		"eight processors": withEnv(u.command("banger-tar", "--gzip", bundle), "GOMAXPROCS=8"),
		"root, elsewhere":  elsewhere(newUser(t, 0).command("banger-tar", "-z", bundle)),
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := hash(t, u.written(t, cmd)), hash(t, archive); got != want {
				t.Errorf("sha256 %s, want %s", got, want)
			}
		})
	}
	t.Run("gzip", func(t *testing.T) {
		output(t, exec.Command("pigz", "-t", archive))
		output(t, exec.Command("gzip", "-t", archive))
		got := u.written(t, exec.Command("gzip", "-dc", archive))
		output(t, exec.Command("cmp", got, plain))
	})
	t.Run("tar", func(t *testing.T) {
		for _, reader := range []string{"tar", "bsdtar"} {
			names := func(flags, archive string) string {
				return output(t, exec.Command("env", "LC_ALL=C.UTF-8", reader, flags, archive))
			}
			if got, want := names("tzf", archive), names("tf", plain); got != want || !strings.Contains(got, "./opt/blocks\n") {
				t.Errorf("%s lists %d bytes of names, want %d", reader, len(got), len(want))
			}
		}
	})
	t.Run("skopeo, umoci", func(t *testing.T) {
		again := image{filepath.Join(u.place(t), "layout"), "1"}
		skopeo(t, "copy", "--quiet", "tarball:"+archive, "oci:"+again.String())
		var m v1.Manifest
		fromJSON(t, inspect(t, "oci:"+again.String()), &m)
		if got, want := m.Layers[0].Digest.Encoded(), hash(t, archive); got != want {
			t.Errorf("the layer is %s, want the archive %s", got, want) // not compressed again
		}
		u.sameManifest(t, again, "skopeo", manifest)
		sameTree(t, readTree(t, again.unpack(t)), readTree(t, source.unpack(t)))
	})
	t.Run("a registry", func(t *testing.T) {
		ref := startRegistry(t) + "/flat:1"
		skopeo(t, "copy", "--quiet", "--dest-tls-verify=false", "tarball:"+archive, "docker://"+ref)
		made := output(t, u.command("sh", "-c", `banger-fetch "$1" | banger-flatten -o fetched.bundle`, "sh", ref))
		if got := read(t, filepath.Join(u.home, made, "rootfs.mtree")); got != manifest {
			t.Errorf("manifest differs: %d bytes, want %d", len(got), len(manifest))
		}
	})
}

// TestTarGzipCut checks that a run ended by a signal leaves a truncated
// archive. The signal comes early, as it has a terabyte to write.
func TestTarGzipCut(t *testing.T) {
	need(t, "gzip")
	u := newUser(t, uint32(os.Getuid()))
	output(t, u.command("mkdir", "tree"))
	output(t, u.command("truncate", "--size=1T", "tree/f"))
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			archive, o := atFirstByte(t, u.command("banger-tar", "-z", "tree"), func(pid int) error {
				return syscall.Kill(pid, signal)
			})
			if o.code != 128+int(signal) || o.stderr != "" {
				t.Errorf("exit status %d, %q", o.code, o.stderr)
			}
			endsEarly(t, archive)
		})
	}
}

// TestTarGzipChanged checks that a failed run leaves a truncated archive too.
// When it writes its first byte it knows the size of every file, but has not
// read the last one: the noise before that exceeds its buffers and the pipe.
func TestTarGzipChanged(t *testing.T) {
	need(t, "gzip")
	u := newUser(t, uint32(os.Getuid()))
	output(t, u.command("mkdir", "tree"))
	for name, size := range map[string]int{"tree/a": 20 << 20, "tree/b": 1 << 10} {
		if err := os.WriteFile(filepath.Join(u.home, name), smallNoise(1, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	archive, o := atFirstByte(t, withEnv(u.command("banger-tar", "-z", "tree"), "GOMAXPROCS=2"), func(int) error {
		return os.Truncate(filepath.Join(u.home, "tree/b"), 3)
	})
	o.failed(t, []int{1}, "banger-tar", "./b", "changed while being read")
	endsEarly(t, archive)
}

// atFirstByte runs a command, calls act at its first byte, and returns its
// output.
func atFirstByte(t *testing.T, cmd *exec.Cmd, act func(pid int) error) (printed []byte, o outcome) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cmd.Stdout = writer
	end := begin(t, cmd)
	writer.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(reader, first); err != nil {
		t.Fatal(err)
	}
	if err := act(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return append(first, rest...), end()
}

// endsEarly fails the test unless gzip finds the archive valid but truncated.
func endsEarly(t *testing.T, archive []byte) {
	t.Helper()
	cmd := exec.Command("gzip", "-t")
	cmd.Stdin = bytes.NewReader(archive)
	if o := finish(t, cmd); o.code != 1 || !strings.Contains(o.stderr, "unexpected end of file") {
		t.Errorf("gzip -t of %d bytes: exit status %d, %q", len(archive), o.code, o.stderr)
	}
}
