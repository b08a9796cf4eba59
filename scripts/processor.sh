# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC2034 # the variables are the script's
#
# The processor of banger boot: this machine's own, by KVM, or an emulated one.
# Read by the script, whose trap ends the process $machine.

# processor: sets $processor, the words that give QEMU one, and $clock. $accel
# decides, if the user has set it; else KVM is taken where a guest runs on it.
processor() {
	if ! command -v qemu-system-x86_64 >/dev/null; then
		say 'qemu-system-x86_64: not found'
		hint 'install qemu-system-x86, or --print firecracker'
		exit 66
	fi
	if [ "$accel" != tcg ] && usable; then
		processor='-accel kvm -cpu host' clock=''
	else
		emulate
	fi
}

# emulate: sets $processor to an emulated one, and $clock to what the kernel's
# command line says of it. A single processor counts instructions, so that its
# clock can be measured on a busy host too. Several would hang with that. QEMU
# gives their time-stamp counter the rate of the host's; the guest need not
# measure it, which may fail, and without it there is no timer on this machine.
emulate() {
	clock=''
	if [ "$cpus" -eq 1 ]; then
		processor='-accel tcg -icount shift=3 -cpu max'
		return
	fi
	processor='-accel tcg -cpu max'
	rate=$(counter </proc/cpuinfo)
	[ -z "$rate" ] || clock="tsc_early_khz=$rate"
}

# counter: prints the rate of the host's time-stamp counter in kHz, read from
# /proc/cpuinfo, or nothing. In a virtual machine it is "cpu MHz", which on
# hardware varies with the load; there it is the rate in the model's name.
counter() {
	awk -F ': *' '
		/^model name/ && match($2, /[0-9.]+GHz/) { rate = substr($2, RSTART, RLENGTH - 3) * 1000000 }
		/^cpu MHz/ { current = $2 * 1000 }
		/^flags.* hypervisor/ { rate = current }
		/^flags/ { if (rate > 0) printf "%d\n", rate; exit }'
}

# usable: is there a KVM that can be used? Where the user has asked for it, it
# is not tried out: QEMU says what is wrong with it.
usable() {
	if [ ! -e /dev/kvm ]; then
		without 66 'no such file' 'as root, modprobe kvm_intel or kvm_amd; in a container, --device /dev/kvm'
	elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		without 77 'permission denied' "$(permit)"
	elif [ -z "$accel" ] && ! probe; then
		without 1 'no guest runs on it' '--accel kvm shows why, --accel tcg does not try'
	fi
}

# without CODE WHY HINT: says in one line that KVM cannot be used. If the user
# has asked for it, that is the end.
without() {
	if [ "$accel" = kvm ]; then
		say "/dev/kvm: $2"
		hint "$3"
		exit "$1"
	fi
	say "/dev/kvm: $2: emulating, which is slow; $3"
	return 1
}

# permit: prints how this user gets at /dev/kvm.
permit() {
	user=$(id -un 2>/dev/null) || user=$(id -u)
	group=$(stat -L -c %A:%G /dev/kvm)
	case $group in
	*:root | *:UNKNOWN) ;;
	????rw????:*)
		printf 'sudo usermod -aG %s %s, then log in again' "${group#*:}" "$user"
		return
		;;
	esac
	printf 'sudo setfacl -m u:%s:rw /dev/kvm' "$user"
}

# probe: does a guest run with KVM, in a machine of the type that the image will
# have? In a virtual machine without proper nesting, /dev/kvm may open, and the
# guest spin or stop. The program needs some milliseconds and has a second. QEMU
# may need as long when it is read from a disk, so it is run once before.
probe() {
	if ! guest >"$scratch/probe" 2>/dev/null; then
		say "$scratch/probe: cannot be written"
		hint 'set TMPDIR to a directory with more space'
		exit 73
	fi
	qemu-system-x86_64 --version </dev/null >/dev/null 2>&1
	timeout -s KILL 1 qemu-system-x86_64 -M microvm,x-option-roms=off -accel kvm -cpu host \
		-no-user-config -nodefaults -no-reboot -display none \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$scratch/probe" </dev/null >/dev/null 2>&1 &
	machine=$!
	wait "$machine" 2>/dev/null # it may have been killed, which a shell would tell
	code=$?
	machine=''
	[ "$code" -eq 43 ]
}

# guest: prints the program that probe runs, an ELF file that QEMU boots as it
# does a kernel. It enters long mode and executes cmpxchg16b: a KVM that emulates
# the guest instead of running it does not know that instruction. The comments
# beside the bytes, and those that start with #:, are the program's source: a test
# assembles it and compares.
guest() {
	# The ELF header: 64 bits, little-endian, an executable for amd64.
	printf '\177\105\114\106\002\001\001\000'           # elf: .ascii "\177ELF"; .byte 2, 1, 1, 0; .quad 0
	printf '\000\000\000\000\000\000\000\000'
	printf '\002\000\076\000\001\000\000\000'           # .word 2, 62; .long 1; .quad image + start - elf
	printf '\310\000\020\000\000\000\000\000'
	printf '\100\000\000\000\000\000\000\000'           # .quad headers - elf, 0; .long 0; .word 64, 56, 2, 0, 0, 0
	printf '\000\000\000\000\000\000\000\000'
	printf '\000\000\000\000\100\000\070\000'
	printf '\002\000\000\000\000\000\000\000'
	# What is loaded, the whole file, and the note by which QEMU enters it (PVH):
	# in protected mode, flat segments, no paging.
	printf '\001\000\000\000\007\000\000\000'           # headers: .long 1, 7; .quad 0, image, image
	printf '\000\000\000\000\000\000\000\000'
	printf '\000\000\020\000\000\000\000\000'
	printf '\000\000\020\000\000\000\000\000'
	printf '\162\001\000\000\000\000\000\000'           # .quad end - elf, end - elf, 16
	printf '\162\001\000\000\000\000\000\000'
	printf '\020\000\000\000\000\000\000\000'
	printf '\004\000\000\000\004\000\000\000'           # .long 4, 4; .quad note - elf, image, image
	printf '\260\000\000\000\000\000\000\000'
	printf '\000\000\020\000\000\000\000\000'
	printf '\000\000\020\000\000\000\000\000'
	printf '\030\000\000\000\000\000\000\000'           # .quad start - note, start - note, 4
	printf '\030\000\000\000\000\000\000\000'
	printf '\004\000\000\000\000\000\000\000'
	printf '\004\000\000\000\010\000\000\000'           # note: .long 4, 8, 18; .asciz "Xen"; .quad image + start - elf
	printf '\022\000\000\000\130\145\156\000'
	printf '\310\000\020\000\000\000\000\000'
	# Page tables: the first 2 MiB, each address its own.
	#: .code32
	printf '\061\300'                                   # start: xor %eax, %eax
	printf '\277\000\000\021\000'                       # mov $tables, %edi
	printf '\271\000\014\000\000'                       # mov $3 * 4096 / 4, %ecx
	printf '\363\253'                                   # rep stosl
	printf '\307\005\000\000\021\000\003\020\021\000'   # movl $tables + 0x1003, tables
	printf '\307\005\000\020\021\000\003\040\021\000'   # movl $tables + 0x2003, tables + 0x1000
	printf '\307\005\000\040\021\000\203\000\000\000'   # movl $0x83, tables + 0x2000
	printf '\270\000\000\021\000'                       # mov $tables, %eax
	printf '\017\042\330'                               # mov %eax, %cr3
	# Long mode: CR4.PAE, EFER.LME, CR0.PG, and a code segment of 64 bits.
	printf '\017\040\340'                               # mov %cr4, %eax
	printf '\203\310\040'                               # or $1 << 5, %eax
	printf '\017\042\340'                               # mov %eax, %cr4
	printf '\271\200\000\000\300'                       # mov $0xc0000080, %ecx
	printf '\017\062'                                   # rdmsr
	printf '\015\000\001\000\000'                       # or $1 << 8, %eax
	printf '\017\060'                                   # wrmsr
	printf '\017\040\300'                               # mov %cr0, %eax
	printf '\015\000\000\000\200'                       # or $1 << 31, %eax
	printf '\017\042\300'                               # mov %eax, %cr0
	printf '\017\001\025\074\001\020\000'               # lgdtl image + table - elf
	printf '\352\102\001\020\000\010\000'               # ljmpl $8, $image + long - elf
	printf '\000\000\000\000\000\000\000\000'           # segments: .quad 0, 0x00af9b000000ffff
	printf '\377\377\000\000\000\233\257\000'
	printf '\017\000\054\001\020\000'                   # table: .word 15; .long image + segments - elf
	#: .code64
	# Memory that nobody has touched gets a value, by the instruction in question.
	printf '\277\000\000\022\000'                       # long: mov $memory, %edi
	printf '\273\064\022\000\000'                       # mov $0x1234, %ebx
	printf '\271\170\126\000\000'                       # mov $0x5678, %ecx
	printf '\360\110\017\307\017'                       # again: lock cmpxchg16b (%rdi)
	printf '\165\371'                                   # jne again
	# Is it there? 21 says yes, 22 no: QEMU exits with twice that and 1.
	printf '\270\026\000\000\000'                       # mov $22, %eax
	printf '\110\071\037'                               # cmp %rbx, (%rdi)
	printf '\165\013'                                   # jne over
	printf '\110\071\117\010'                           # cmp %rcx, 8(%rdi)
	printf '\165\005'                                   # jne over
	printf '\270\025\000\000\000'                       # mov $21, %eax
	printf '\347\364'                                   # over: out %eax, $0xf4
	printf '\364'                                       # hlt
	printf '\353\373'                                   # jmp over
	#: .set image, 0x100000
	#: .set tables, 0x110000
	#: .set memory, 0x120000
	#: end:
}
