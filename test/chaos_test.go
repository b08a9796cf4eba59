// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var chaos = flag.Duration("chaos", 2*time.Minute, "how long TestChaos runs")

// TestChaos runs eight processes at a time that add, replace, register, list
// and remove the same few kernels and images, and are killed at random.
// Everything listed meanwhile is whole: the sums match the records, and all
// parts of an image's kernel belong to one kernel.
func TestChaos(t *testing.T) {
	u := newUser(t, nobody)
	c := &chaotic{user: u, t: t, sources: map[string]string{}}
	for _, release := range []string{"6.1.0-a", "6.1.0-b"} {
		u.fakeKernel(t, release)
		output(t, u.command("banger-kernel", "add", release, release))
		c.sources[release] = parts(u.showKernel(t, release).SHA256)
		output(t, u.command("banger-kernel", "rm", release))
	}
	output(t, u.command("sh", "-c", "mkdir -p root/sbin && echo >root/sbin/init && banger-mkext4 --size min root"))
	end := time.Now().Add(*chaos)
	var workers sync.WaitGroup
	for n := range 8 {
		workers.Go(func() {
			for random := rand.New(rand.NewPCG(1, uint64(n))); time.Now().Before(end) && !t.Failed(); {
				c.act(random)
			}
		})
	}
	for time.Now().Before(end) && !t.Failed() {
		c.look()
	}
	workers.Wait()
	c.settle()
	t.Logf("%d commands, %d of them killed; %d kernels and %d images checked", c.acts, c.kills, c.kernelsSeen, c.imagesSeen)
	if c.kernelsSeen == 0 || c.imagesSeen == 0 || c.kills == 0 {
		t.Error("nothing was checked")
	}
}

type chaotic struct {
	user
	t       *testing.T
	sources map[string]string // the parts of each source, by its release

	mu                      sync.Mutex
	acts, kills             int
	kernelsSeen, imagesSeen int
}

// act runs one command and kills it half of the time.
func (c *chaotic) act(random *rand.Rand) {
	kernel, image := fmt.Sprint("k", random.IntN(3)), fmt.Sprint("i", random.IntN(3))
	source := slices.Sorted(maps.Keys(c.sources))[random.IntN(2)]
	args := [][]string{
		{"banger-kernel", "add", "-f", kernel, source},
		{"banger-kernel", "add", kernel, source},
		{"banger-kernel", "add", "-f", kernel, source},
		{"banger-kernel", "initrd", kernel},
		{"banger-kernel", "rm", kernel},
		{"banger-kernel", "list"},
		{"banger-register", "-f", "--name", image, "--kernel-ref", kernel, "root.ext4"},
		{"banger-register", "-f", "--name", image, "--kernel-ref", kernel, "root.ext4"},
		{"banger-register", "-f", "--name", image, "--kernel-ref", kernel, "root.ext4"},
		{"banger-image", "rm", image},
		{"banger-image", "list"},
	}[random.IntN(11)]
	cmd := c.command(args[0], args[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		c.t.Error(err)
		return
	}
	kill := random.IntN(2) == 0
	if kill {
		timer := time.AfterFunc(time.Duration(random.IntN(150))*time.Millisecond, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	cmd.Wait()
	killed := cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
	// The kernel or image may not exist (66) or exist (73). A kernel may be
	// replaced during initrd (75).
	expected := []int{0, 66, 73}
	if args[1] == "initrd" {
		expected = append(expected, 75)
	}
	if code := cmd.ProcessState.ExitCode(); !killed && !slices.Contains(expected, code) {
		c.t.Errorf("%v: exit %d\n%s", args, code, stderr.String())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acts++
	if killed {
		c.kills++
	}
}

// look checks everything that is listed now.
func (c *chaotic) look() {
	for line := range strings.Lines(output(c.t, c.command("banger-kernel", "list", "--json"))) {
		var k kernelRecord
		if err := json.Unmarshal([]byte(line), &k); err != nil {
			c.t.Fatal(err)
		}
		c.hold(k.Path, func(dir string) {
			c.kernelsSeen++
			c.kernel(dir)
		})
	}
	for line := range strings.Lines(output(c.t, c.command("banger-image", "list", "--json"))) {
		var i struct{ Path string }
		if err := json.Unmarshal([]byte(line), &i); err != nil {
			c.t.Fatal(err)
		}
		c.hold(i.Path, func(dir string) {
			c.imagesSeen++
			c.image(dir)
		})
	}
}

// hold calls look on a directory that still has its name, and locks it against
// removal meanwhile. dir stays valid when it is renamed.
func (c *chaotic) hold(path string, look func(dir string)) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return // removed since
	}
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		c.t.Fatal(err)
	}
	opened, err1 := f.Stat()
	named, err2 := os.Stat(path)
	if err1 == nil && err2 == nil && os.SameFile(opened, named) {
		look(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()))
	}
}

// kernel compares a kernel's parts with its record and with its source.
func (c *chaotic) kernel(dir string) {
	var k kernelRecord
	c.read(filepath.Join(dir, "kernel.json"), &k)
	if got := c.sums(dir); !maps.Equal(got, k.SHA256) {
		c.t.Errorf("kernel.json: %v, parts: %v", k.SHA256, got)
	}
	if parts(k.SHA256) != c.sources[k.Release] {
		c.t.Errorf("%s: parts differ from the source: %v", k.Release, k.SHA256)
	}
}

// image compares an image with its record, and its kernel with the source.
func (c *chaotic) image(dir string) {
	var i struct {
		Ext4   struct{ SHA256 string }
		Kernel struct{ Release string }
	}
	c.read(filepath.Join(dir, "image.json"), &i)
	if got := hash(c.t, filepath.Join(dir, "rootfs.ext4")); got != i.Ext4.SHA256 {
		c.t.Errorf("image.json: %s, rootfs.ext4: %s", i.Ext4.SHA256, got)
	}
	if got := parts(c.sums(dir)); got != c.sources[i.Kernel.Release] {
		c.t.Errorf("kernel of mixed parts: %s, want %s's: %s", got, i.Kernel.Release, c.sources[i.Kernel.Release])
	}
}

func (c *chaotic) read(path string, into any) {
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		c.t.Errorf("listed without a record: %v", err)
	}
}

// sums computes the sums of a kernel's parts with sha256sum.
func (c *chaotic) sums(dir string) map[string]string {
	cmd := exec.Command("sh", "-c", `for part in vmlinux vmlinux.config initrd.img modules.ext4; do sha256sum <$part || exit; done`)
	cmd.Dir = dir
	words := strings.Fields(output(c.t, cmd))
	return map[string]string{"vmlinux": words[0], "vmlinux.config": words[2], "initrd.img": words[4], "modules.ext4": words[6]}
}

func parts(sums map[string]string) string { return fmt.Sprint(sums) }

// settle checks that the next runs remove what killed ones left.
func (c *chaotic) settle() {
	source := slices.Sorted(maps.Keys(c.sources))[0]
	output(c.t, c.command("banger-kernel", "add", "-f", "last", source))
	output(c.t, c.command("banger-register", "-f", "--name", "last", "--kernel-ref", "last", "root.ext4"))
	noLeftovers(c.t, c.user)
}

// fakeKernel creates a directory with a fake kernel, and real modules of
// Debian's kernel with the release patched in.
func (u user) fakeKernel(t *testing.T, release string) {
	t.Helper()
	deb := kernelPackage(t, kernel61)
	dir := filepath.Join(u.home, release)
	modules := filepath.Join(dir, "lib/modules", release)
	unpacked := filepath.Join(scratch(t), "deb")
	output(t, exec.Command("dpkg-deb", "-x", deb, unpacked))
	for _, part := range []string{"drivers/virtio", "drivers/block", "net/vmw_vsock"} {
		from := only(t, filepath.Join(unpacked, "lib/modules/*/kernel", part))
		if err := os.CopyFS(filepath.Join(modules, "kernel", part), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	debian := filepath.Base(only(t, filepath.Join(unpacked, "lib/modules/*")))
	padded := release + strings.Repeat(" ", len(debian)-len(release))
	output(t, exec.Command("find", modules, "-name", "*.ko", "-exec", "sed", "-i", "s/vermagic="+debian+"/vermagic="+padded+"/", "{}", "+"))
	for name, data := range map[string]string{
		"vmlinux": string(fakeVmlinux(t, release, 4<<20)), "vmlinux.config": "CONFIG_MODULES=y\nCONFIG_EXT4_FS=y\nCONFIG_VIRTIO_BLK=m\n# " + release + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
