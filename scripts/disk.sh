# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154 # the variables are the script's
#
# The disk of banger boot: a copy of the image in $dir, in the scratch directory
# or in the file $keep. Read by the script after scratch.sh; say, hint, wrong
# and run are its own.

# plain PATH: QEMU's options and JSON have no room for some characters.
plain() {
	case $1 in *[,\"\\]* | *'
'*) wrong "$1: a comma, quote, backslash or newline in the path" ;; esac
}

# same PATH PATH: succeeds if they are one file.
same() {
	one=$(stat -L -c %d:%i -- "$1" 2>/dev/null) &&
		[ "$one" = "$(stat -L -c %d:%i -- "$2" 2>/dev/null)" ]
}

# hold: keeps descriptor 6 on the image. current: exits if another image has its
# name now: all files that are read by path must belong to one image.
hold() { command exec 6<"$dir" || exit 66; }
current() {
	same /proc/self/fd/6 "$dir" && return
	say "$name: replaced during the boot"
	hint 'try again'
	exit 75
}

# place: finds out where $keep is, $disk in the directory $in, and refuses what
# can be no disk.
place() {
	in=$(cd -- "$(dirname -- "$keep")" 2>/dev/null && pwd) || {
		say "$keep: no such directory"
		exit 66
	}
	disk=${in%/}/$(basename -- "$keep")
	if [ -e "$disk" ]; then
		disk=$(readlink -f -- "$disk")
		in=$(dirname -- "$disk")
	fi
	plain "$disk"
	if same "$disk" "$dir/rootfs.ext4"; then
		say "$keep: is the published image"
		hint 'use another file with --keep'
		exit 73
	fi
	[ -e "$disk" ] && [ ! -f "$disk" ] || return 0
	[ ! -b "$disk" ] || [ -n "$size" ] || return 0 # it cannot grow, but be booted
	say "$keep: not a regular file"
	hint '--keep FILE needs a disk image, or a new name'
	exit 73
}

# small FILE: succeeds if a $size is given and the file is smaller.
small() { [ -n "$size" ] && [ "$(stat -L -c %s -- "$1")" -lt "$bytes" ]; }

# in_place FILE COMMAND...: runs a command on a file by its name alone. Tools of
# e2fsprogs take what follows a ? in a path for I/O options.
in_place() (
	file=$1
	shift
	show cd "${file%/*}"
	CDPATH='' cd -- "${file%/*}" || exit 73
	run "$@" "${file##*/}"
)

# copy FROM TO: a disk of the same content, holes kept, the blocks shared where
# the filesystem can; grown to $size.
copy() {
	run cp --reflink=auto --sparse=always --no-preserve=mode,ownership "$1" "$2" || {
		current
		hint 'set TMPDIR to a directory with more space, or use --keep FILE'
		exit 73
	}
	small "$2" || return 0
	run truncate --size="$size" "$2" || exit 73
	in_place "$2" e2fsck -fp >&2
	case $? in
	0 | 1) ;;
	73) exit 73 ;;
	*) exit 65 ;;
	esac
	in_place "$2" resize2fs >&2 || exit 73
}

# stage: makes $staging, from where a file is renamed to its place beside it.
stage() {
	[ -z "$staging" ] || return 0
	sweep "$in/.${disk##*/}.staging"-*
	own 9 "$in/.${disk##*/}.staging" 'use --keep FILE in a writable directory'
	staging=$made
}

# lock: no two machines on one disk. QEMU has locks of its own, but not before
# it runs. A disk that somebody has grown meanwhile is another.
lock() {
	command exec 7<"$disk" || exit 73
	flock --nonblock 7 && same /proc/self/fd/7 "$disk" && return
	say "$keep: in use by another machine"
	exit 75
}

# keep: makes $disk, or grows it, and locks it.
keep() {
	if [ ! -e "$disk" ]; then
		stage
		copy "$dir/rootfs.ext4" "$staging/disk"
		current
		# Never over a disk: another may have been faster, and run on it.
		mv -nT "$staging/disk" "$disk" 2>/dev/null
		[ ! -e "$staging/disk" ] || place
		if [ ! -e "$disk" ]; then
			say "$keep: cannot be made"
			exit 73
		fi
	fi
	lock
	small "$disk" || return 0
	stage
	copy "$disk" "$staging/disk"
	mv -T "$staging/disk" "$disk" || exit 73
	lock
}

# beside: the initial ramdisk that was made is $disk.initrd. A file that has the
# name stays, and has to be the same.
beside() {
	if [ ! -e "$disk.initrd" ]; then
		stage
		cp "$initrd" "$staging/initrd" || exit 73
		mv -nT "$staging/initrd" "$disk.initrd" 2>/dev/null
	fi
	if ! cmp -s "$initrd" "$disk.initrd"; then
		say "$keep.initrd: exists"
		hint 'remove it, or use --keep FILE with another name'
		exit 73
	fi
	initrd=$disk.initrd
}
