// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"banger/lib/ext4"
)

// Every flipped bit in a used block is reported, as a difference or as an error
// of the image. No bit is ignored: unused bytes in those blocks must be zeros.
func TestFlips(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, c := range []struct {
		name  string
		extra []entry
		whole bool
		ext4.Options
		flips int
	}{
		{"direct", nil, true, direct, 2000},
		{"mkfs", nil, false, byMkfs, 1200},
		{"lost+found", []entry{directory("lost+found"), file("lost+found/#12", "12")}, true, direct, 300},
		{"groups", nil, true, ext4.Options{Size: 1100 << 20}, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := everything(c.whole)
			f.layers = append(f.layers, c.extra)
			image := f.image(t)
			file := ext4Of(t, flatten(t, image), c.Options)
			want, err := layersOf(image)(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			source := func(context.Context) (*Want, error) { return want, nil }
			if agrees(t, file, source); t.Failed() {
				return
			}
			s := newFlipper(t, file)
			if testing.Short() { // with the race detector, which takes ten times as long
				c.flips /= 10
			}
			for range c.flips {
				at, bit := s.random(random), byte(1)<<random.IntN(8)
				s.flip(at, bit)
				if all, err := differences(t, file, source); err == nil && len(all) == 0 {
					t.Errorf("block %d, byte %#x, bit %#x", at/blockSize, at%blockSize, bit)
				}
				s.flip(at, bit)
			}
			agrees(t, file, source)
		})
	}
}

const blockSize = 4096

// A flipper flips bits in the used blocks of an image.
type flipper struct {
	t       testing.TB
	file    *os.File
	used    []int64 // blocks in use, according to dumpe2fs
	written []int64 // used blocks that are not all zeros
}

func newFlipper(t testing.TB, file string) *flipper {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	s := &flipper{t: t, file: f, used: usedBlocks(t, file)}
	for _, block := range s.used {
		if zeros := [blockSize]byte{}; s.block(block) != zeros {
			s.written = append(s.written, block)
		}
	}
	return s
}

// usedBlocks returns the blocks that dumpe2fs does not list as free.
func usedBlocks(t testing.TB, file string) (used []int64) {
	t.Helper()
	out, err := exec.Command(program(t, "dumpe2fs"), file).Output()
	if err != nil {
		t.Fatal(err)
	}
	free := map[int64]bool{}
	for _, line := range regexp.MustCompile(`(?m)^  Free blocks: (\S.*)$`).FindAllStringSubmatch(string(out), -1) {
		for _, word := range strings.Split(line[1], ", ") {
			from, to, isRange := strings.Cut(word, "-")
			if !isRange {
				to = from
			}
			for block := number(t, from); block <= number(t, to); block++ {
				free[block] = true
			}
		}
	}
	info, err := os.Stat(file)
	if err != nil || len(free) == 0 {
		t.Fatal("no free blocks: ", err)
	}
	for block := range info.Size() / blockSize {
		if !free[block] {
			used = append(used, block)
		}
	}
	return used
}

func number(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *flipper) block(block int64) (raw [blockSize]byte) {
	s.t.Helper()
	if _, err := s.file.ReadAt(raw[:], block*blockSize); err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// random returns the offset of a random byte: sometimes in any used block, more
// often in a block that is not all zeros, half of those times before or shortly
// after its last nonzero byte. Most used blocks are empty inode tables.
func (s *flipper) random(random *rand.Rand) (at int64) {
	if random.IntN(4) == 0 {
		return s.used[random.IntN(len(s.used))]*blockSize + random.Int64N(blockSize)
	}
	block := s.written[random.IntN(len(s.written))]
	raw := s.block(block)
	at = random.Int64N(blockSize)
	if last := lastNonzero(raw[:]); random.IntN(2) == 0 {
		at = random.Int64N(min(last+16, blockSize))
	}
	return block*blockSize + at
}

func lastNonzero(raw []byte) int64 {
	last := len(raw) - 1
	for raw[last] == 0 {
		last--
	}
	return int64(last)
}

// flip flips bits of the byte at offset at.
func (s *flipper) flip(at int64, bits byte) {
	s.t.Helper()
	b := make([]byte, 1)
	if _, err := s.file.ReadAt(b, at); err != nil {
		s.t.Fatal(err)
	}
	b[0] ^= bits
	if _, err := s.file.WriteAt(b, at); err != nil {
		s.t.Fatal(err)
	}
}
