# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC2034 # the variables are the script's
#
# The machine of banger boot: its console and its end. Read by the script, whose
# trap ends the processes $machine, $reader and $watcher.

# attend COMMAND...: runs a machine, its console on the standard streams; $code
# is what it has ended with, and $stopped is set if KVM has stopped it. QEMU
# writes on when nobody reads any more, or to a disk that is full; cat does not.
# All are waited for in the background, so that a signal to this script is heard.
attend() {
	exec 3<&0
	rm -f "$scratch/console" "$scratch/errors"
	mkfifo "$scratch/console" "$scratch/errors" || exit 73
	if [ -t 1 ]; then
		# QEMU logs to the same fifo. That it is open here too gives the reader
		# an end if QEMU fails before it has opened it.
		"$@" <&3 4>"$scratch/console" 2>"$scratch/errors" &
	else
		"$@" <&3 >"$scratch/console" 2>"$scratch/errors" &
	fi
	machine=$!
	watch <"$scratch/errors" &
	watcher=$!
	pass <"$scratch/console" &
	reader=$!
	wait "$reader"
	code=$?
	reader=''
	case $code in
	0) ;;
	141) exit 141 ;;
	*) exit 73 ;; # as pass has said
	esac
	wait "$machine" 2>/dev/null # it may have been killed, which a shell would tell
	code=$?
	machine=''
	stopped=''
	wait "$watcher"
	[ $? -ne 3 ] || stopped=yes
	watcher=''
}

# pass: passes on what the machine prints; a terminal has it from QEMU. The name
# of the fifo goes with the first byte: removing needs no space on the disk.
pass() {
	first=$(dd bs=1 count=1 2>/dev/null | od -An -to1) # a variable holds no zero byte
	[ -n "$first" ] || exit 0
	rm -f "$scratch/console"
	[ ! -t 1 ] || exec cat >/dev/null
	# shellcheck disable=SC2059 # the format is the byte
	if ! printf "\\${first##* }" 2>/dev/null; then
		say 'standard output: cannot be written'
		exit 1
	fi
	exec cat
}

# watch: passes on what QEMU says, and ends it where KVM cannot go on: QEMU then
# prints one of these, the registers, and stops the machine without ending
# (kvm_cpu_exec in accel/kvm/kvm-all.c, kvm_arch_handle_exit in
# target/i386/kvm/kvm.c). Its status is 3 if it has done so.
watch() {
	trap '' PIPE # nobody may read what it passes on
	exec 4>&2 2>/dev/null
	failed=0
	while IFS= read -r line || [ -n "$line" ]; do
		printf '%s\n' "$line" >&4
		case $line in
		'KVM internal error'* | 'error: kvm run failed'* | 'KVM: '*)
			[ "$failed" -ne 0 ] || kill "$machine"
			failed=3
			;;
		esac
	done
	exit "$failed"
}

# again: prepares for another attempt after KVM has stopped the machine, an
# emulated one. On a disk that is kept, or after a sign of life, there is none:
# the guest may have done something.
again() {
	if [ -n "$accel" ] || [ -n "$keep" ] || [ ! -e "$scratch/console" ] || [ -s "$scratch/status" ]; then
		say 'KVM stopped the machine'
		hint '--accel tcg emulates the processor'
		exit 1
	fi
	say 'KVM stopped the machine before it printed anything: emulating the processor, which is slow'
	hint '--accel tcg skips KVM'
	accel=tcg
	emulate
	rm -f "$disk" "$scratch/status"
	copy "$dir/rootfs.ext4" "$disk"
	current
}

# verdict: exits with the status that the guest has written down.
verdict() {
	code=$(sed -n 's/^EXIT_STATUS=\([0-9]*\)$/\1/p' "$status" | tail -n 1)
	case $code in
	'' | *[!0-9]* | ????*) ;;
	*) exit "$code" ;;
	esac
	if ! { echo >"$scratch/full"; } 2>/dev/null; then
		say "$tmp: no space left"
		hint 'set TMPDIR to a directory with more space, or use --keep FILE'
		exit 73
	fi
	say 'the machine stopped before the command ended'
	hint 'use --memory 2G, or run the command above without loglevel=1'
	exit 1
}
