#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The script of banger image build that is used without --script, and an example to
# copy. It runs as root in a machine that has a network and no running init. It
# makes of a bare image one for daily work:
#
#   - an init, if there is none, and an SSH server that it starts;
#   - sudo, curl, and the certificates of certificate authorities;
#   - a user, dev, who has no password and may do all with sudo;
#   - with --docker, the distribution's Docker, which dev may use.
#
# The same lines serve Debian and what is made of it (apt), Alpine (apk), and
# Fedora and its relatives (dnf). For others it changes nothing and fails.
set -eu

user=dev
docker=false

main() {
	parse "$@"
	manager=$(choose)
	"install_$manager"
	add_user
	"finish_$manager"
}

# fail STATUS MESSAGE: ends the script, with a status of sysexits(3).
fail() {
	printf 'customize.sh: %s\n' "$2" >&2
	exit "$1"
}

parse() {
	for argument; do
		case $argument in
		--docker) docker=true ;;
		*) fail 64 "$argument: unknown argument" ;;
		esac
	done
}

# choose: prints the package manager of the distribution that os-release(5) names.
choose() {
	[ -r /etc/os-release ] || fail 65 '/etc/os-release: not found, so the distribution is unknown'
	# shellcheck source=/dev/null
	. /etc/os-release
	for name in ${ID-} ${ID_LIKE-}; do
		case $name in
		debian | ubuntu) found=apt program=apt-get ;;
		alpine) found=apk program=apk ;;
		fedora | rhel) found=dnf program=dnf ;;
		*) continue ;;
		esac
		command -v "$program" >/dev/null || fail 65 "$program: not found, and ${ID-$name} has no other package manager"
		if $docker && [ "$found" = dnf ] && [ "${ID-}" != fedora ]; then
			fail 65 "${ID-$name}: the distribution has no package of Docker"
		fi
		echo "$found"
		return
	done
	fail 65 "${ID-unknown}: only distributions with apt, apk or dnf are known; write a script for this one"
}

# No service is to start: here is no init to look after it. kmod has modprobe, by
# which the kernel loads what Docker's network needs; apparmor has the parser for the
# profile that Docker gives each container. Newer releases have the command docker in a
# package of its own.
install_apt() {
	export DEBIAN_FRONTEND=noninteractive
	policy=/usr/sbin/policy-rc.d
	if [ -e $policy ]; then
		policy=
	else
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	apt-get update
	set -- openssh-server sudo curl ca-certificates
	[ -e /sbin/init ] || set -- "$@" systemd-sysv dbus
	if $docker; then
		set -- "$@" docker.io iptables kmod apparmor
		! apt-cache show docker-cli >/dev/null 2>&1 || set -- "$@" docker-cli
	fi
	apt-get install -y --no-install-recommends "$@"
}

# Each machine makes its own host keys: those of the installation are removed at the
# end of the build. Debian's unit checks for keys before it starts the server.
finish_apt() {
	mkdir -p /etc/systemd/system/ssh.service.d
	cat >/etc/systemd/system/ssh.service.d/host-keys.conf <<-'EOF'
		[Service]
		ExecStartPre=
		ExecStartPre=/usr/bin/ssh-keygen -A
		ExecStartPre=/usr/sbin/sshd -t
	EOF
	apt-get clean
	rm -rf /var/lib/apt/lists/*
	[ -z "$policy" ] || rm "$policy"
}

install_apk() {
	set -- openrc openssh-server sudo curl ca-certificates
	if $docker; then
		set -- "$@" docker docker-cli iptables kmod
	fi
	apk add --no-cache "$@"
}

# The network is there before OpenRC starts: nothing else has to provide it.
finish_apk() {
	echo 'rc_provide="loopback net"' >>/etc/rc.conf
	rc-update add sshd default
	if $docker; then
		rc-update add cgroups sysinit
		rc-update add docker default
	fi
}

# Images of RHEL 9 and its relatives have curl-minimal, which the package curl conflicts
# with.
install_dnf() {
	set -- systemd openssh-server sudo ca-certificates shadow-utils
	command -v curl >/dev/null || set -- "$@" curl
	if $docker; then
		set -- "$@" moby-engine docker-cli iptables-nft kmod
	fi
	dnf install -y --setopt=install_weak_deps=False "$@"
}

finish_dnf() {
	systemctl enable sshd.service
	if $docker; then
		systemctl enable docker.service
	fi
	dnf clean all
}

# add_user: adds the user. The password "*" fits nothing typed, and unlike "!" it
# does not lock the account, whose keys sshd without PAM would refuse.
add_user() {
	if ! id "$user" >/dev/null 2>&1; then
		if command -v useradd >/dev/null; then
			useradd --create-home --shell "$(shell)" "$user"
		else
			adduser -D -s "$(shell)" "$user"
		fi
		echo "$user:*" | chpasswd -e
	fi
	echo "$user ALL=(ALL:ALL) NOPASSWD: ALL" >"/etc/sudoers.d/$user"
	chmod 440 "/etc/sudoers.d/$user"
	if $docker; then
		add_to_group docker
	fi
}

# shell: prints the user's shell.
shell() {
	if [ -x /bin/bash ]; then
		echo /bin/bash
	else
		echo /bin/sh
	fi
}

add_to_group() {
	if command -v usermod >/dev/null; then
		usermod --append --groups "$1" "$user"
	else
		addgroup "$user" "$1"
	fi
}

main "$@"
