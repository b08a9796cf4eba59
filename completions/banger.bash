# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion for bash 4.4 and later. bash-completion loads it by the name of the
# command, which make install gives it too.

_banger() {
	local line=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[^:=]/}
	local words current done='' engine
	read -ra words <<<"$line"
	[[ $line != *[[:space:]] ]] || words+=('')
	current=${words[-1]}
	# bash replaces only what follows the last of its word breaks.
	[[ -z $breaks || $current != *["$breaks"]* ]] || done=${current%"${current##*["$breaks"]}"}
	engine=$(readlink -f -- "$(type -P -- "${words[0]/#\~/$HOME}")")
	engine=${engine%/*}/../libexec/banger/complete
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:files | :dirs)
			compopt -o filenames 2>/dev/null
			[[ $line == :files ]] && line=-f || line=-d
			mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "$line" -- "${current#"$done"}")
			;;
		*)
			line=${line%%$'\t'*}
			COMPREPLY+=("${line#"$done"}")
			;;
		esac
	done < <("$engine" "${words[@]}" 2>/dev/null)
}

# shellcheck disable=SC2046 # the names of the tools have no spaces
complete -F _banger $(compgen -c banger)
