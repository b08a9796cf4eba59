// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// BenchmarkBoot compares how soon one can log in: a Debian without an init,
// where the agent of banger-init is the SSH server, and a Debian with systemd and
// openssh-server. They boot in turn. The clock is the guest's, from the start of
// /init: it is the same for both, however busy the host is.
func BenchmarkBoot(b *testing.B) {
	need(b, "qemu-system-x86_64", "ssh", "jq")
	g := guests{newUser(b, known), startRegistry(b)}
	g.addKernel(b, "k", kernel61)
	for name, packages := range map[string]string{"agent": "sudo,iputils-ping", "sshd": "systemd-sysv,udev,openssh-server"} {
		image := makeImage(b, scratch(b)+"/layout", "1", bootstrapWith(b, packages))
		g.publish(b, name, image.push(b, g.registry, name+":1"), "--kernel-ref", "k")
	}
	rows := []*bootRow{{name: "root entered"}, {name: "agent started"}, {name: "agent listens"}, {name: "READY"}, {name: "first ssh true"}, {name: "systemd: ssh.service active"}}
	for b.Loop() {
		g.background(b, "--memory", "1G", "agent")
		uptime, times := g.uptime(b, "agent"), g.times(b, "agent")
		g.stop(b, "agent")
		g.background(b, "--memory", "1G", "sshd")
		active := g.sshdActive(b) - g.times(b, "sshd").Init
		g.stop(b, "sshd")
		for i, ms := range []int64{times.Root, times.Agent, times.SSH, times.Ready, uptime} {
			rows[i].add(ms-times.Init, active)
		}
		rows[len(rows)-1].add(active, active)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\n\tms\tsystemd and sshd, x\t\n")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%.0f\t%.1f\t\n", r.name, median(r.ms), median(r.ratio))
	}
	w.Flush()
	b.Log(table.String())
	b.ReportMetric(median(rows[3].ratio), "ready-x")
	b.ReportMetric(median(rows[4].ratio), "ssh-x")
	b.ReportMetric(0, "ns/op")
}

// A bootRow is a point of a boot: milliseconds since the start of /init, and how
// many times as long the other boot takes.
type bootRow struct {
	name      string
	ms, ratio []float64
}

func (r *bootRow) add(ms, other int64) {
	r.ms = append(r.ms, float64(ms))
	r.ratio = append(r.ratio, float64(other)/float64(max(ms, 1)))
}

func (g guests) stop(b *testing.B, name string) {
	output(b, g.command("banger", "machine", "stop", name))
}

// bootTimes are those of status@banger.
type bootTimes struct{ Init, Root, Agent, SSH, Ready int64 }

func (g guests) times(b *testing.B, name string) bootTimes {
	var s struct{ Times bootTimes }
	text := output(b, g.command("ssh", "-F", g.machineFile(name, "ssh_config"), "-s", name, "status@banger"))
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		b.Fatal(err)
	}
	return s.Times
}

// uptime returns the milliseconds since the boot at which a first command runs.
func (g guests) uptime(b *testing.B, name string) int64 {
	seconds, err := strconv.ParseFloat(strings.Fields(output(b, g.command("banger", "ssh", name, "cat /proc/uptime")))[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return int64(seconds * 1000)
}

// sshdActive returns the milliseconds since the boot at which systemd's sshd had
// started to listen.
func (g guests) sshdActive(b *testing.B) int64 {
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		// It fails until systemd has opened its socket.
		o := finish(b, g.command("banger", "ssh", "sshd", "systemctl show --value -p ActiveEnterTimestampMonotonic ssh"))
		if us, err := strconv.ParseInt(strings.TrimSpace(o.stdout), 10, 64); err == nil && us > 0 {
			return us / 1000
		}
	}
	b.Fatal("sshd is not active")
	return 0
}
