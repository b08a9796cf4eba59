# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Temporary directories. A script sources this file, calls sweep and own, and
# removes in a trap what own has made.

# sweep DIR...: removes what killed runs left: their locks died with them.
sweep() {
	for old; do
		if [ -d "$old" ]; then
			flock --nonblock "$old" rm -rf "$old" 2>/dev/null
		fi
	done
}

# own FD PREFIX HINT: makes a directory, $made, and locks it on descriptor FD,
# for as long as this script or a tool it has started keeps FD open. Another
# run may sweep it before it is locked: then own makes another.
own() {
	if ! command -v flock >/dev/null; then
		printf '%s: flock: not found\nhint: install util-linux\n' "${0##*/}" >&2
		exit 66
	fi
	for _ in 1 2 3 4 5 6 7 8 9; do
		made=$(LC_ALL=C mktemp -d -- "$2-XXXXXXXXXXXXXXXX" 2>&1) || cannot "${2%/*}" "$made" "$3"
		eval "command exec $1<\"\$made\"" &&
			flock --nonblock "$1" && [ -d "$made" ] && return
	done
	printf '%s: %s: cannot be locked\nhint: try again\n' "${0##*/}" "$made" >&2
	exit 75
}

# parents DIR HINT: makes a directory and those above it.
parents() {
	error=$(LC_ALL=C mkdir -p -- "$1" 2>&1) || cannot "$1" "$error" "$2"
}

# cannot DIR ERROR HINT: exits with the reason that ends ERROR, a message of
# mktemp or mkdir.
cannot() {
	reason=$(printf %s "${2##*: }" | tr '[:upper:]' '[:lower:]')
	printf '%s: %s: %s\nhint: %s\n' "${0##*/}" "${1:-/}" "$reason" "$3" >&2
	exit 73
}
