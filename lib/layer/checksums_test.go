// SPDX-License-Identifier: Apache-2.0

package layer

import "fmt"

// signed sets the checksum of an entry to the sum of signed bytes.
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

// rewritten sets the checksum of an entry to six digits after a prefix.
func rewritten(entry []byte, before string) []byte {
	digits := string(entry[148:154])
	copy(entry[148:], before+digits)
	return entry
}
