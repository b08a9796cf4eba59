// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A mode is a terminal mode: an opcode and its value (RFC 4254, section 8).
type mode struct {
	op    byte
	value uint32
}

// Opcodes from firstUnknown on have no known length.
const (
	endOfModes   = 0
	firstUnknown = 160
)

// parseModes reads encoded terminal modes up to their end, or to what it does
// not know.
func parseModes(text string) (modes []mode) {
	const length = 5
	for ; len(text) >= length && text[0] != endOfModes && text[0] < firstUnknown; text = text[length:] {
		modes = append(modes, mode{text[0], binary.BigEndian.Uint32([]byte(text[1:length]))})
	}
	return modes
}

// noCharacter is the value of a control character that is switched off.
const noCharacter = 255

// setModes sets the modes of a terminal. Linux has no more than these: the
// opcodes for DSUSP, FLUSH and STATUS set nothing. A speed means nothing here.
func setModes(fd int, modes []mode) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	for _, m := range modes {
		m.set(t)
	}
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

func (m mode) set(t *unix.Termios) {
	if at, ok := characters[m.op]; ok {
		if m.value == noCharacter {
			m.value = 0
		}
		t.Cc[at] = byte(m.value)
	}
	for _, f := range []struct {
		word *uint32
		bits map[byte]uint32
	}{{&t.Iflag, inputFlags}, {&t.Lflag, localFlags}, {&t.Oflag, outputFlags}, {&t.Cflag, controlFlags}} {
		if bit, ok := f.bits[m.op]; ok && m.value != 0 {
			*f.word |= bit
		} else if ok {
			*f.word &^= bit
		}
	}
	if (m.op == opCS7 || m.op == opCS8) && m.value != 0 {
		t.Cflag &^= unix.CSIZE
		t.Cflag |= characterSizes[m.op]
	}
}

const (
	opCS7 = 90
	opCS8 = 91
)

var characters = map[byte]int{
	1: unix.VINTR, 2: unix.VQUIT, 3: unix.VERASE, 4: unix.VKILL, 5: unix.VEOF, 6: unix.VEOL, 7: unix.VEOL2,
	8: unix.VSTART, 9: unix.VSTOP, 10: unix.VSUSP, 12: unix.VREPRINT, 13: unix.VWERASE, 14: unix.VLNEXT,
	16: unix.VSWTC, 18: unix.VDISCARD,
}

var inputFlags = map[byte]uint32{
	30: unix.IGNPAR, 31: unix.PARMRK, 32: unix.INPCK, 33: unix.ISTRIP, 34: unix.INLCR, 35: unix.IGNCR,
	36: unix.ICRNL, 37: unix.IUCLC, 38: unix.IXON, 39: unix.IXANY, 40: unix.IXOFF, 41: unix.IMAXBEL,
	42: unix.IUTF8, // RFC 8160
}

var localFlags = map[byte]uint32{
	50: unix.ISIG, 51: unix.ICANON, 52: unix.XCASE, 53: unix.ECHO, 54: unix.ECHOE, 55: unix.ECHOK,
	56: unix.ECHONL, 57: unix.NOFLSH, 58: unix.TOSTOP, 59: unix.IEXTEN, 60: unix.ECHOCTL, 61: unix.ECHOKE,
	62: unix.PENDIN,
}

var outputFlags = map[byte]uint32{
	70: unix.OPOST, 71: unix.OLCUC, 72: unix.ONLCR, 73: unix.OCRNL, 74: unix.ONOCR, 75: unix.ONLRET,
}

var controlFlags = map[byte]uint32{92: unix.PARENB, 93: unix.PARODD}

var characterSizes = map[byte]uint32{opCS7: unix.CS7, opCS8: unix.CS8}
