// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"banger/lib/guest"
	"banger/lib/status"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]int{"1": 1, "512": 512, "512M": 512, "2G": 2048, "2g": 2048} {
		if got, err := ParseMemory(text); got != want || err != nil {
			t.Errorf("--memory %s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "lots", "G", "1T", "1GM", "99999999999999999999G", "9999999999G", "01"} {
		if got, err := ParseMemory(text); status.Of(err) != status.Usage {
			t.Errorf("--memory %s: %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]int64{"4096": 4096, "64M": 64 << 20, "20G": 20 << 30, "1T": 1 << 40} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("--size %s: %d, %v", text, got, err)
		}
		if got, err := ParseSize(formatSize(want)); got != want || err != nil {
			t.Errorf("%s: %d, %v, not %d", formatSize(want), got, err, want)
		}
	}
	for _, text := range []string{"", "0", "huge", "1g", "99999999T", "99999999999999999999"} {
		if got, err := ParseSize(text); status.Of(err) != status.Usage {
			t.Errorf("--size %s: %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]Forward{"8080:80": {8080, 80}, "0:1": {0, 1}} {
		if got, err := ParseForward(text); got != want || err != nil {
			t.Errorf("--publish %s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "80", ":80", "80:", "80:0", "65536:80", "1:2:3", "a:b", "80:80,hostfwd=tcp::1-:1"} {
		if got, err := ParseForward(text); status.Of(err) != status.Usage {
			t.Errorf("--publish %s: %v, %v", text, got, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, s := range map[string]Spec{
		"processor":        {Accel: "xen"},
		"size of a copy":   {Size: 1},
		"comma":            {Keep: "a,b"},
		"no input":         {Interactive: true},
		"environment":      {Guest: guest.Machine{Env: []string{"A"}}},
		"not UTF-8":        {Guest: guest.Machine{Args: []string{"\xff"}}},
		"a zero byte":      {Guest: guest.Machine{User: "a\x00b"}},
		"nobody at stdin":  {Interactive: true, Detached: true, Guest: guest.Machine{Args: []string{"a"}}},
		"name of variable": {Guest: guest.Machine{Env: []string{"=b"}}},
	} {
		if err := s.Check(); status.Of(err) != status.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Spec{Keep: "a b", Size: 1, Accel: TCG, Interactive: true, Guest: guest.Machine{Args: []string{"ü"}, Env: []string{"A="}}}).Check(); err != nil {
		t.Error(err)
	}
}

// What is shown, a shell reads as it was.
func TestCommand(t *testing.T) {
	words := []string{"printf", "%s|", "", "a b", "it's", "$HOME", "\\", "a\nb", "ü", "plain-1_2./:=,+@%", "*", "~"}
	dir := t.TempDir()
	c := Command{Args: words, Dir: dir, Output: "out put"}
	if err := exec.Command("sh", "-c", c.String()).Run(); err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "out put"))
	if want := strings.Join(words[2:], "|") + "|"; err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; not %q", c, got, err, want)
	}
}

func TestCounterRate(t *testing.T) {
	for text, want := range map[string]int{
		"": 0,
		"model name\t: Some CPU @ 2.50GHz\ncpu MHz\t\t: 800.1\nflags\t\t: fpu tsc\n":    2500000,
		"model name\t: Some CPU\ncpu MHz\t\t: 2445.404\nflags\t\t: fpu hypervisor\n":    2445404,
		"model name\t: Some CPU\ncpu MHz\t\t: 800.1\nflags\t\t: fpu tsc\n":              0,
		"model name\t: X @ 3GHz\ncpu MHz\t\t: 2000.000\nflags\t\t: fpu hypervisor ht\n": 2000000,
	} {
		if got := counterRate(strings.NewReader(text)); got != want {
			t.Errorf("%q: %d, not %d", text, got, want)
		}
	}
}

func TestParseForwards(t *testing.T) {
	const text = "Hub -1 (net):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n" +
		"  TCP[HOST_FORWARD]  12       127.0.0.1 39187       10.0.2.15    80     0     0\r\n" +
		"  UDP[236 sec]       19       10.0.2.15 49229         8.8.8.8    53     0     0\r\n"
	if got := parseForwards(text); !slices.Equal(got, []Forward{{39187, 80}}) {
		t.Errorf("%v", got)
	}
}

// Machines have names of their own, and leave nothing.
func TestDirs(t *testing.T) {
	d := Dirs(filepath.Join(t.TempDir(), "deep/machines"))
	if all, err := d.List(); len(all) != 0 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	var dirs []*Dir
	for _, want := range []string{"app", "app-2", "app-3"} {
		m, err := d.Claim("", "app")
		if err != nil || m.Name != want {
			t.Fatalf("%+v, %v; not %s", m, err, want)
		}
		dirs = append(dirs, m)
	}
	if m, err := d.Claim("app-2", "app"); status.Of(err) != status.Create || status.HintOf(err) == "" {
		t.Errorf("%+v, %v", m, err)
	}
	if err := dirs[0].write(Record{Name: "app", Image: "app", PID: os.Getpid(), Ready: true}); err != nil {
		t.Fatal(err)
	}
	dirs[1].Remove()
	dirs[2].lock.Close() // as when the process is killed
	all, err := d.List()
	if err != nil || len(all) != 1 || !all[0].Ready {
		t.Errorf("%+v, %v", all, err)
	}
	if left, _ := os.ReadDir(string(d)); len(left) != 2 { // app, and .lock
		t.Errorf("left %v", left)
	}
	for _, name := range []string{"app-2", "none", "../machines", ""} {
		if err := d.Stop(context.Background(), name); status.Of(err) != status.NoInput {
			t.Errorf("stop %q: %v", name, err)
		}
	}
	dirs[0].Remove()
}

// A record that is no record ends nothing but the stop.
func TestStopDamaged(t *testing.T) {
	d := Dirs(t.TempDir())
	m, err := d.Claim("m", "app")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Remove()
	if err := os.WriteFile(m.file(recordFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Stop(context.Background(), "m"); status.Of(err) != status.Temporary {
		t.Errorf("%v", err)
	}
	if all, err := d.List(); err != nil || len(all) != 1 || all[0].Name != "m" {
		t.Errorf("%v, %v", all, err)
	}
}

// A console that prints without end fills no disk, and is remembered in part.
func TestConsole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, err := newLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &console{to: log}
	if !c.silent() {
		t.Error("not silent")
	}
	for range 1000 {
		if _, err := c.Write([]byte(strings.Repeat("x", 5000) + "\r\nline\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		if _, err := c.Write([]byte(strings.Repeat("y", i) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if lines := c.lastLines(); size > 2*maxLog+2*5010 || c.silent() || len(lines) != maxLastLines || lines[maxLastLines-1] != strings.Repeat("y", 99) {
		t.Errorf("%d bytes, %q", size, lines)
	}
}

// A process ends with the one that has started it, on whatever thread that was.
func TestProcess(t *testing.T) {
	p, err := start(exec.Command("sleep", "600"), false)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
		t.Fatal("ended with a thread")
	case <-time.After(100 * time.Millisecond):
	}
	p.end()
	<-p.ended
	if p.state.Success() {
		t.Error(p.state)
	}
	if _, err := start(exec.Command("/no/such/program"), false); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
