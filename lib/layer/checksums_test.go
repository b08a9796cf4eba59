// SPDX-License-Identifier: Apache-2.0

package layer

import "fmt"

// signed gives an entry the checksum of archivers to which bytes have a sign.
func signed(entry []byte) []byte {
	sum := 0
	for i, c := range entry[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int(int8(c))
	}
	copy(entry[148:], fmt.Sprintf("%06o\x00 ", sum))
	return entry
}

// rewritten has an entry's checksum as six digits behind something else.
func rewritten(entry []byte, before string) []byte {
	digits := string(entry[148:154])
	copy(entry[148:], before+digits)
	return entry
}
