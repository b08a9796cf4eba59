# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC2034 # the variables are the script's
#
# The machine of banger boot: its console and its end. Read by the script, whose
# trap ends the processes $machine and $reader.

# attend COMMAND...: runs a machine, its console on the standard streams; $code
# is what it has ended with. QEMU writes on when nobody reads any more, or to a
# disk that is full; cat does not. Both are waited for in the background, so
# that a signal to this script is heard.
attend() {
	exec 3<&0
	if [ -t 1 ]; then
		"$@" <&3 &
		machine=$!
	else
		mkfifo "$scratch/console" || exit 73
		"$@" <&3 >"$scratch/console" &
		machine=$!
		pass
	fi
	wait "$machine"
	code=$?
	machine=''
}

# pass: passes on what the machine prints, and ends it if that cannot be done.
pass() {
	cat "$scratch/console" &
	reader=$!
	wait "$reader"
	code=$?
	reader=''
	case $code in
	0) ;;
	141) exit 141 ;;
	*) exit 73 ;; # as cat has said
	esac
}

# verdict: exits with the status that the guest has written down.
verdict() {
	read -r code <"$status" || code=''
	case $code in
	'' | *[!0-9]* | ????*) ;;
	*) exit "$code" ;;
	esac
	if ! { echo >"$scratch/full"; } 2>/dev/null; then
		say "$tmp: no space left"
		hint 'TMPDIR names where a copy is made, --keep FILE another place'
		exit 73
	fi
	say 'the machine ended before the command did'
	hint 'more memory, with --memory? Without loglevel=1, the command above tells more'
	exit 1
}
