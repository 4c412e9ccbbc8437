# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# common.bash - what the tests that drive whole programs share: an instance of their own, and leaving
# nothing behind whatever happened. Needs root. In a .bats file:
#
#	load lib/common		(../lib/common from a directory below tests/)
#	setup() { ucg_setup; }
#	teardown() { ucg_teardown; }
#
# ucg_setup gives   $UCG_INSTANCE  the instance, used by `ucg` and, as UCGROUP_INSTANCE, by the programs
#                   $UCG_TMP       a directory; mount below it
#                   $UCG_BUILD     where the programs are, first in PATH
# ucg_teardown says what the daemon has said, which bats shows with a test that failed; and which test is
# running is in the file $UCG_RUNNING, for whoever has to say that it never ended.
# Plain scripts (tests/*/run) use the same, with `trap ucg_teardown EXIT`.

UCG_BUILD=${UCGROUP_BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../../build" 2>/dev/null && pwd)}

ucg_setup() {
	if [ "$(id -u)" != 0 ]; then
		echo "this test must run as root" >&2
		return 1
	fi
	if [ ! -x "$UCG_BUILD/ucgroupd" ]; then
		echo "no programs in \"$UCG_BUILD\": build first, or set UCGROUP_BUILD" >&2
		return 1
	fi
	umask 022
	UCG_INSTANCE=t$BASHPID-$RANDOM
	UCG_TMP=$(mktemp -d "${TMPDIR:-/tmp}/ucgroup-test.XXXXXX") || return 1
	UCG_V1=()
	case :$PATH: in
	:$UCG_BUILD:*) ;;
	*) PATH=$UCG_BUILD:/usr/local/sbin:/usr/sbin:/sbin:$PATH ;;
	esac
	export PATH UCG_INSTANCE UCG_TMP UCGROUP_INSTANCE=$UCG_INSTANCE UCGROUPD_LOG=$UCG_TMP/daemon.log
	[ -z "${UCG_RUNNING-}" ] || echo "${BATS_TEST_DESCRIPTION-}" >"$UCG_RUNNING"
}

# The command line tool on this test's instance.
ucg() {
	"$UCG_BUILD/ucgroup" --instance "$UCG_INSTANCE" "$@"
}

ucg_rundir() {
	echo "/run/ucgroup/$UCG_INSTANCE"
}

# The daemon's pid: the process that was started as ucgroupd for this very instance. Empty: none.
ucg_daemon_pid() {
	local dir exe name
	for dir in /proc/[0-9]*; do
		# First without a process for each: this is asked after every test.
		{ read -r name <"$dir/comm"; } 2>/dev/null || continue
		[ "$name" = ucgroupd ] || continue
		exe=$(readlink "$dir/exe" 2>/dev/null) || continue
		case $exe in */ucgroupd | */ucgroupd\ \(deleted\)) ;; *) continue ;; esac
		if tr '\0' '\n' <"$dir/cmdline" 2>/dev/null | grep -qxF -e "$UCG_INSTANCE" \
			-e "--instance=$UCG_INSTANCE"; then
			echo "${dir#/proc/}"
			return
		fi
	done
}

# Wait until COMMAND succeeds; 1 when it has not for a long time. SECONDS is what is plenty on a quiet
# machine.
ucg_await() { # SECONDS COMMAND...
	local limit=$((5 * $1)) start=$SECONDS
	shift
	until "$@"; do
		if [ $((SECONDS - start)) -ge $limit ]; then
			echo "not in $limit s: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# The mount points below DIR, innermost first. Mount tables write a space as \040 and so on.
ucg_mounts_below() { # DIR
	local point
	awk '{ print $5 }' /proc/self/mountinfo | while IFS= read -r point; do
		point=$(printf '%b' "${point//\\/\\0}")
		case $point in "$1" | "$1"/*) printf '%s\n' "$point" ;; esac
	done | sort -r
}

# A named hierarchy of the kernel's own cgroup v1, for comparison, mounted on DIR. It must be asked for
# with this function to be taken away again by ucg_teardown. Without favordynmods: some kernels keep what
# that changes for the whole machine until they boot.
ucg_v1_mount() { # NAME DIR
	UCG_V1+=("$1")
	mkdir -p "$2" && mount -t cgroup -o "none,name=$1" "$1" "$2"
}

# Kill what is left in the groups of the kernel hierarchy NAME, remove them, and the hierarchy.
ucg_v1_remove() { # NAME
	local dir=$UCG_TMP/.v1 try pids
	mkdir -p "$dir"
	for try in 1 2 4 8 16 32; do
		ucg_v1_gone "$1" && return 0
		mount -t cgroup -o "none,name=$1" "$1" "$dir" || return 1
		pids=$(find "$dir" -mindepth 2 -name tasks -exec cat {} + 2>/dev/null)
		# shellcheck disable=SC2086 # numbers
		[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
		find "$dir" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
		umount "$dir"
		# A hierarchy that is unmounted before its removed groups have gone for good stays:
		# mounted and unmounted later it goes. But one that is going already takes its
		# time, and mounting makes a new one of the same name: so wait longer each time.
		ucg_await $((try / 4 + 1)) ucg_v1_gone "$1" 2>/dev/null && return 0
	done
	echo "the kernel's hierarchy $1 does not go away" >&2
	return 1
}

ucg_v1_gone() { # NAME
	! grep -q ":name=$1:" /proc/self/cgroup
}

# Also after a crash of anything: the daemon is killed when it does not go by itself, its mounts are
# unmounted, its directories removed.
ucg_teardown() {
	local point pid name status=0
	[ -n "${UCG_TMP-}" ] || return 0
	timeout 20 "$UCG_BUILD/ucgroup" --instance "$UCG_INSTANCE" shutdown >/dev/null 2>&1 </dev/null
	pid=$(ucg_daemon_pid)
	if [ -n "$pid" ]; then
		ucg_await 2 ucg_gone "$pid" || kill -KILL "$pid" 2>/dev/null
		ucg_await 5 ucg_gone "$pid" || status=1
	fi
	while IFS= read -r point; do
		umount "$point" 2>/dev/null || umount -l "$point" 2>/dev/null
	done < <(ucg_mounts_below "$UCG_TMP")
	for name in "${UCG_V1[@]}"; do
		ucg_v1_remove "$name" || status=1
	done
	if [ -s "$UCGROUPD_LOG" ] && [ -z "${UCG_QUIET-}" ]; then
		echo "what the daemon said last:" >&2
		tail -n 40 "$UCGROUPD_LOG" >&2
	fi
	rm -rf --one-file-system "$UCG_TMP" "/run/ucgroup/$UCG_INSTANCE"
	if [ -d "/sys/fs/bpf/ucgroup/$UCG_INSTANCE" ]; then
		find "/sys/fs/bpf/ucgroup/$UCG_INSTANCE" -depth -delete
	fi
	rmdir /run/ucgroup /sys/fs/bpf/ucgroup 2>/dev/null
	UCG_TMP=
	return $status
}

ucg_gone() { # PID: no such process, or a zombie
	! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null
}
