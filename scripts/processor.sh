# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC2034 # the variables are the script's
#
# Chooses the processor of banger boot: KVM or emulation. banger-boot sources this
# file; its trap kills the process $machine.

# processor sets $processor, QEMU's options, and $clock. $accel decides if the user
# has set it; else KVM is used if a guest runs on it.
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

# emulate sets $processor for emulation, and $clock to a parameter of the kernel's
# command line. A single processor counts instructions, so that the guest can
# measure its clock on a busy host; several would hang. QEMU gives their time-stamp
# counter the host's rate. $clock passes it to the guest, whose own measurement may
# fail, and without which this machine has no timer.
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

# counter prints the rate of the host's time-stamp counter in kHz, from a
# /proc/cpuinfo, or nothing. In a virtual machine it is "cpu MHz". On hardware
# that varies with the load, and the rate is in the model name.
counter() {
	awk -F ': *' '
		/^model name/ && match($2, /[0-9.]+GHz/) { rate = substr($2, RSTART, RLENGTH - 3) * 1000000 }
		/^cpu MHz/ { current = $2 * 1000 }
		/^flags.* hypervisor/ { rate = current }
		/^flags/ { if (rate > 0) printf "%d\n", rate; exit }'
}

# usable reports whether KVM can be used. With --accel kvm it is not probed: QEMU
# prints what is wrong.
usable() {
	if [ ! -e /dev/kvm ]; then
		without 66 'no such file' 'as root, modprobe kvm_intel or kvm_amd; in a container, --device /dev/kvm'
	elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		without 77 'permission denied' "$(permit)"
	elif [ -z "$accel" ] && ! probe; then
		without 1 'cannot run a guest' '--accel kvm shows why, --accel tcg does not try'
	fi
}

# without CODE REASON HINT reports that KVM cannot be used. With --accel kvm it
# exits with CODE.
without() {
	if [ "$accel" = kvm ]; then
		say "/dev/kvm: $2"
		hint "$3"
		exit "$1"
	fi
	say "/dev/kvm: $2: emulating the processor, which is slow"
	hint "$3"
	return 1
}

# permit prints the command that gives this user access to /dev/kvm.
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

# probe reports whether a guest runs under KVM, in the machine type of the image.
# In a virtual machine without working nesting, /dev/kvm may open and the guest
# hang. The program takes milliseconds and has a second. Reading QEMU from a cold
# disk may take as long, so it is run once before.
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
	wait "$machine" 2>/dev/null # hides the shell's message if it was killed
	code=$?
	machine=''
	[ "$code" -eq 43 ]
}

# guest prints the program that probe runs, an ELF file that QEMU boots like a
# kernel. It enters long mode and executes cmpxchg16b, an instruction that KVM's
# own emulator lacks. The comments next to the bytes, and those that start with
# #:, are its source: a test assembles it and compares.
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
	# Program headers: the whole file is loaded. QEMU enters it through the PVH note,
	# in protected mode, with flat segments and no paging.
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
	# Page tables: the first 2 MiB, identity-mapped.
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
	# Writes a value to untouched memory with the instruction.
	printf '\277\000\000\022\000'                       # long: mov $memory, %edi
	printf '\273\064\022\000\000'                       # mov $0x1234, %ebx
	printf '\271\170\126\000\000'                       # mov $0x5678, %ecx
	printf '\360\110\017\307\017'                       # again: lock cmpxchg16b (%rdi)
	printf '\165\371'                                   # jne again
	# 21 if the value is there, else 22: QEMU exits with 2n + 1.
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
