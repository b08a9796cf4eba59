# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Directories that are a script's own, and go with it. A script reads this
# file, calls sweep and own, and removes in a trap what own has made.

# sweep PATTERN...: removes what killed runs left: their locks died with them.
sweep() {
	for old; do
		if [ -d "$old" ]; then
			flock --nonblock "$old" rm -rf "$old" 2>/dev/null
		fi
	done
}

# own FD NAME: makes a directory, $made, that is ours as long as we, or a tool
# that we have started, keep the descriptor. Between making and locking it
# another run's sweep may be faster: then again.
own() {
	for _ in 1 2 3 4 5 6 7 8 9; do
		made=$(mktemp -d "$2-XXXXXXXXXXXXXXXX") || exit 73
		eval "command exec $1<\"\$made\"" &&
			flock --nonblock "$1" && [ -d "$made" ] && return
	done
	printf '%s: %s: cannot be locked\nhint: try again\n' "${0##*/}" "$made" >&2
	exit 75
}
