#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The ucgroup command and the daemon from outside: each command, what it says, how it ends, and what
# is left when all is over.
#
# timeout: 300
# shellcheck disable=SC2016,SC2030,SC2031,SC2317

load lib/common

setup() {
	ucg_setup || return 1
	chmod 755 "$UCG_TMP"
	M=$UCG_TMP/m
	mkdir "$M"
}

teardown() {
	local pid
	for pid in "${STRAYS[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
	ucg_teardown
}

STRAYS=()

# A named hierarchy of our own on $M.
mount_jobs() { # [OPTIONS]
	ucg mount -o "none,name=jobs${1:+,$1}" jobs "$M"
}

# A number out of `ucgroup stats`.
stat_of() {
	timeout 10 "$UCG_BUILD/ucgroup" stats | sed -n "s/^$1 //p"
}

stat_is() { # NAME NUMBER
	[ "$(stat_of "$1")" = "$2" ]
}

says() { # TEXT
	[[ $output == *"$1"* ]] && return
	echo "expected: $1"
	echo "output:   $output"
	return 1
}

ends() { # STATUS
	[ "$status" = "$1" ] && return
	echo "status $status, expected $1; output: $output"
	return 1
}

# `!` would not fail a test.
not() { # COMMAND...
	if "$@"; then
		echo "this should have failed: $*"
		return 1
	fi
}

lines_are() { # N FILE
	[ "$(wc -l <"$2")" -eq "$1" ]
}

# Is it in the group: is it the only one?
alone_in() { # PID DIR
	[ "$(cat "$2/tasks" 2>/dev/null)" = "$1" ]
}

executes() { # PID NAME
	[ "$(cat "/proc/$1/comm")" = "$2" ]
}

# ---- usage --------------------------------------------------------------------------------------

@test "bad usage ends with 2 and says what is wrong" {
	run ucg
	ends 2
	says "a command is missing"
	run ucg frobnicate
	ends 2
	says "'frobnicate' is no command"
	run ucgroup --frobnicate
	ends 2
	says "--frobnicate"
	run ucgroup --instance a/b hierarchies
	ends 2
	says "a/b"
	run ucgroup --instance .. hierarchies
	ends 2
	run ucg mount
	ends 2
	says "directory to mount on is missing"
	run ucg mount a b c
	ends 2
	says "'c'"
	run ucg mount -t ext4 "$M"
	ends 2
	says "unknown type 'ext4'"
	run ucg umount
	ends 2
	run ucg hierarchies extra
	ends 2
	says "'extra'"
	run ucg exec
	ends 2
	run ucg exec "$M/a"
	ends 2
	says "command to start"
	run ucg attach "$M"
	ends 2
	says "PID"
	run ucg attach "$M" 12x
	ends 2
	says "'12x' is no process id"
	run ucg kill
	ends 2
	run ucg kill -s FROB "$M"
	ends 2
	says "FROB"
	run ucg wait
	ends 2
	run ucg wait -t soon "$M"
	ends 2
	says "soon"
	run ucgroupd --instance "$UCG_INSTANCE" extra
	ends 2
	says "'extra'"
	run ucgroupd --instance "$UCG_INSTANCE" --tracker=rumours
	ends 2
	says "rumours"
	[ ! -e "$(ucg_rundir)" ]
}

@test "help is given and lists every command" {
	run ucgroup --help
	ends 0
	local cmd
	for cmd in mount umount remount hierarchies tree ps exec attach kill wait watch stats doctor \
		shutdown; do
		says "  $cmd " || return 1
	done
	run ucgroup --version
	ends 0
	says "ucgroup "
	run ucgroup mount --help
	ends 0
	says "ucgroup mount"
}

# ---- the daemon ---------------------------------------------------------------------------------

@test "the daemon is started where it is not running, and only once" {
	local i pid pids=()
	for i in 1 2 3 4 5 6; do
		ucg hierarchies >"$UCG_TMP/out$i" 2>&1 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	[ "$(pgrep -fcx "(.*/)?ucgroupd --instance $UCG_INSTANCE")" = 1 ]
	[ "$(stat -c '%a %u' "$(ucg_rundir)")" = "755 0" ]
	[ "$(stat -c '%a' /run/ucgroup)" = 755 ]
}

@test "a second daemon of the same instance says so and exits with 1" {
	ucg hierarchies >/dev/null
	run ucgroupd --instance "$UCG_INSTANCE"
	ends 1
	says "instance '$UCG_INSTANCE' is already running"
	run ucgroupd --instance "$UCG_INSTANCE" --foreground
	ends 1
	says "already running"
	# The first one is none the worse.
	ucg hierarchies
}

@test "the daemon keeps nothing open that its starter had open, and no directory" {
	local pid
	exec 9>"$UCG_TMP/nine"
	(cd "$M" && UCGROUPD_LOG='' ucgroupd --instance "$UCG_INSTANCE" 3>&-)
	exec 9>&-
	pid=$(ucg_daemon_pid)
	[ -n "$pid" ]
	[ "$(readlink "/proc/$pid/cwd")" = / ]
	run ls -l "/proc/$pid/fd"
	[[ $output != *"$UCG_TMP"* ]]
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]
	done
	# Every descriptor is close-on-exec (02000000) but the three of /dev/null. What it needed for its
	# start it may just be closing.
	for fd in "/proc/$pid/fdinfo/"*; do
		[ "${fd##*/}" -gt 2 ] || continue
		grep -Eq '^flags:[[:space:]]+0[0-9]*2[0-9]{6}$' "$fd" || [ ! -e "$fd" ] || {
			cat "$fd"
			readlink "/proc/$pid/fd/${fd##*/}"
			return 1
		}
	done
}

@test "a service manager is told when the daemon is ready, and when it ends" {
	local i
	python3 - "$UCG_TMP/notify" >"$UCG_TMP/said" 3>&- <<-'PY' &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		for _ in range(2):
		    print(s.recv(100).decode(), flush=True)
	PY
	STRAYS+=($!)
	ucg_await 5 test -S "$UCG_TMP/notify"
	NOTIFY_SOCKET=$UCG_TMP/notify ucgroupd --foreground --instance "$UCG_INSTANCE" \
		2>/dev/null 3>&- &
	STRAYS+=($!)
	ucg_await 10 lines_are 1 "$UCG_TMP/said"
	# Ready means ready.
	python3 - "$(ucg_rundir)/control.sock" <<-'PY'
		import socket, sys
		socket.socket(socket.AF_UNIX).connect(sys.argv[1])
	PY
	ucg shutdown
	ucg_await 10 lines_are 2 "$UCG_TMP/said"
	[ "$(cat "$UCG_TMP/said")" = "$(printf 'READY=1\nSTOPPING=1')" ]
}

@test "what the daemon says in the background goes to the file it is given, too" {
	export UCGROUPD_LOG=$UCG_TMP/said
	mount_jobs "release_agent=$UCG_TMP/missing"
	grep -q "^ucgroupd\[$(ucg_daemon_pid)\]: instance '$UCG_INSTANCE' is ready" "$UCG_TMP/said"
	[ "$(stat -c %a "$UCG_TMP/said")" = 600 ]
	ucg exec -r "$M/a" true
	ucg_await 5 grep -q "cannot run release agent $UCG_TMP/missing" "$UCG_TMP/said"
	ucg umount -l "$M"
	ucg shutdown
	# Added to what is there; and one that cannot be opened is no reason not to start.
	ucg hierarchies
	[ "$(grep -c "is ready" "$UCG_TMP/said")" = 2 ]
	ucg shutdown
	UCGROUPD_LOG=$UCG_TMP ucg hierarchies
}

@test "a plug-in that is none is refused in words, and nothing is left" {
	run ucgroupd --instance "$UCG_INSTANCE" --subsystem "$UCG_TMP/none.so"
	ends 1
	says "$UCG_TMP/none.so"
	run ucgroupd --instance "$UCG_INSTANCE" --subsystem "$UCG_BUILD/libucgroup.so"
	ends 1
	says "is no ucgroup subsystem"
	[ ! -e "$(ucg_rundir)" ]
}

@test "SIGTERM ends the daemon like shutdown" {
	local pid
	mount_jobs
	pid=$(ucg_daemon_pid)
	kill -TERM "$pid"
	ucg_await 5 ucg_gone "$pid"
	not mountpoint -q "$M"
	[ ! -e "$(ucg_rundir)" ]
}

@test "after a killed daemon, shutdown clears what it left, and a new one starts" {
	local pid
	mount_jobs
	pid=$(ucg_daemon_pid)
	kill -KILL "$pid"
	ucg_await 5 ucg_gone "$pid"
	run ucg shutdown
	ends 0
	says "no daemon of instance"
	not mountpoint -q "$M"
	[ ! -e "$(ucg_rundir)" ]
	mount_jobs
	pid=$(ucg_daemon_pid)
	kill -KILL "$pid"
	ucg_await 5 ucg_gone "$pid"
	# Without a shutdown, the socket that was left is replaced.
	ucg hierarchies
	umount "$M"
}

# ---- mounting -----------------------------------------------------------------------------------

@test "mount shows a hierarchy, umount takes it away before it returns" {
	run ucg mount -o debug "the source" "$M"
	ends 0
	[ -z "$output" ]
	[ -e "$M/tasks" ]
	[ -e "$M/debug.taskcount" ]
	grep -F " $M " /proc/self/mountinfo | grep -q 'fuse.ucgroup the\\040source'
	run ucg hierarchies
	ends 0
	says "debug"
	says "$M"
	run ucg --json hierarchies
	ends 0
	says '"label": "debug"'
	says "\"$M\""
	says '"mounts": 1'
	run ucg umount "$M"
	ends 0
	not mountpoint -q "$M"
	run ucg hierarchies
	[[ $output != *debug* ]]
}

@test "the same options show the same hierarchy" {
	mkdir "$UCG_TMP/n"
	mount_jobs
	ucg mount -o name=jobs,none again "$UCG_TMP/n"
	mkdir "$M/a"
	[ -d "$UCG_TMP/n/a" ]
	rmdir "$UCG_TMP/n/a"
	[ ! -e "$M/a" ]
	[ "$(ucg hierarchies | grep -c jobs)" = 1 ]
}

@test "a refused mount says why, and changes nothing" {
	local before
	mkdir "$UCG_TMP/n"
	ucg mount -o debug x "$M"
	before=$(ucg --json hierarchies)
	run ucg mount -o frobnicate x "$UCG_TMP/n"
	ends 1
	says "No such file or directory"
	says "frobnicate"
	run ucg mount -o debug,name=other x "$UCG_TMP/n"
	ends 1
	says "Device or resource busy"
	says "debug"
	run ucg mount -o none x "$UCG_TMP/n"
	ends 1
	says "Invalid argument"
	run ucg mount -o none,name=a/b x "$UCG_TMP/n"
	ends 1
	says "Invalid argument"
	run ucg mount -o none,,name=ab x "$UCG_TMP/n"
	ends 1
	says "Invalid argument"
	run ucg mount -o none,name=ab x "$UCG_TMP/missing"
	ends 1
	says "$UCG_TMP/missing"
	says "No such file or directory"
	run ucg mount -o none,name=ab x "$BATS_TEST_FILENAME"
	ends 1
	says "Not a directory"
	[ "$(ucg --json hierarchies)" = "$before" ]
	not mountpoint -q "$UCG_TMP/n"
}

@test "umount says why it cannot" {
	mount_jobs
	exec 8<"$M/tasks"
	run ucg umount "$M"
	ends 1
	says "busy"
	says "-l"
	run ucg umount "$UCG_TMP"
	ends 1
	says "not a mount point"
	run ucg umount -l "$M"
	ends 0
	not mountpoint -q "$M"
	exec 8<&-
}

@test "remount sets a release agent, and changes subsystems of a lone root only" {
	ucg mount -o debug x "$M"
	run ucg remount -o debug,release_agent=/bin/true "$M"
	ends 0
	[ "$(cat "$M/release_agent")" = /bin/true ]
	run ucg remount -o none,name=other "$M"
	ends 1
	says "Invalid argument"
	mkdir "$M/a"
	run ucg mount -o remount,none "$M"
	ends 1
	run ucg remount -o debug "$UCG_TMP"
	ends 1
	says "on no mount of instance"
	rmdir "$M/a"
}

@test "generic options apply to the mount" {
	ucg mount -o ro,nosuid,none,name=jobs x "$M"
	grep -F " $M " /proc/self/mountinfo | grep -q ' ro,nosuid,'
	run mkdir "$M/a"
	ends 1
	says "Read-only file system"
}

@test "mount -t proc shows the view of /proc" {
	mount_jobs
	mkdir "$UCG_TMP/p"
	ucg mount -t proc "$UCG_TMP/p"
	ucg exec "$M/a b" -- cat "$UCG_TMP/p/self/cgroup" >"$UCG_TMP/out"
	cat "$UCG_TMP/out"
	grep -qx '[0-9]*:name=jobs:/a b' "$UCG_TMP/out"
	grep -q "name=jobs" "$UCG_TMP/p/mounts"
	run ucg mount -t proc -o debug "$UCG_TMP/p"
	ends 1
	says "no options of its own"
}

@test "mount(8)'s helpers keep its calling convention and exit codes" {
	run mount.ucgroup
	ends 1
	says "usage"
	run umount.ucgroup
	ends 1
	says "usage"
	run mount.ucgroup src "$M" -n -v -o rw,noexec,none,name=jobs
	ends 0
	[ -e "$M/tasks" ]
	grep -F " $M " /proc/self/mountinfo | grep -q noexec
	# What mount(8) adds when it remounts comes from the kernel's table.
	run mount.ucgroup src "$M" -o \
		"rw,remount,noexec,user_id=0,group_id=0,default_permissions,allow_other,none,name=jobs,release_agent=/x"
	ends 0
	[ "$(cat "$M/release_agent")" = /x ]
	run umount.ucgroup "$M"
	ends 0
	not mountpoint -q "$M"
	run mount.ucgroup src "$M" -o frobnicate
	ends 32
	says "frobnicate"
	run mount.ucgroup src "$M" -f -o none,name=jobs
	ends 0
	not mountpoint -q "$M"
	run mount.ucgroup src "$M" -o "instance=a/b,none,name=jobs"
	ends 32
	says "a/b"
	run env -u UCGROUP_INSTANCE mount.ucgroup src "$M" \
		-o "none,instance=$UCG_INSTANCE,name=jobs"
	ends 0
	ucg hierarchies | grep -q jobs
	run umount.ucgroup "$M" -l
	ends 0
	run umount.ucgroup "$M"
	ends 32
}

@test "mount(8) and umount(8) themselves find the helpers" {
	# In a mount namespace with an /sbin of its own, so that nothing is installed.
	ucg hierarchies >/dev/null
	cat >"$UCG_TMP/inside" <<-'SH'
		set -e
		mount -t tmpfs sbin /sbin
		for name in mount.ucgroup umount.ucgroup mount.fuse.ucgroup umount.fuse.ucgroup; do
			ln -s "$UCG_BUILD/ucgroup" "/sbin/$name"
		done
		mount -t ucgroup -o nosuid,none,name=jobs "a source" "$1"
		test -e "$1/tasks"
		grep -F " $1 " /proc/self/mountinfo
		ucgroup hierarchies
		mount -o remount,none,name=jobs,release_agent=/bin/true "$1"
		cat "$1/release_agent"
		status=0
		mount -t ucgroup -o frobnicate x "$1" || status=$?
		echo "refused with $status"
		umount "$1"
		ucgroup hierarchies
		echo end
	SH
	UCG_BUILD=$UCG_BUILD run unshare -m --propagation private bash "$UCG_TMP/inside" "$M"
	echo "$output"
	ends 0
	says "nosuid"
	says "a\040source"
	says "/bin/true"
	says "frobnicate: no such option or subsystem"
	says "refused with 32"
	[ "${lines[-1]}" = end ]
	[ "$(grep -c '^[0-9]* *jobs ' <<<"$output")" = 1 ]
}

# ---- groups and tasks ---------------------------------------------------------------------------

@test "exec makes the group and starts the command in it" {
	mount_jobs
	run ucg exec "$M/a" -- sh -c "cat $M/a/cgroup.procs; exit 7"
	ends 7
	[ "$(wc -w <<<"$output")" = 2 ] # sh and cat
	[ "$(cat "$M/a/notify_on_release")" = 0 ]
	# An existing group; options of the command are its own; no "--" needed.
	run ucg exec "$M/a" sh -c "echo -r; echo \$#" x -- y
	ends 0
	[ "$output" = "$(printf -- '-r\n2')" ]
	run ucg exec -r jobs:/a/b -- cat "$M/a/b/notify_on_release"
	ends 0
	[ "$output" = 1 ]
	run ucg exec "$M" true
	ends 0
	(
		cd "$M/a"
		ucg exec c true
		ucg exec . true
		umask 077
		ucg exec ./d/ true
	)
	[ -d "$M/a/c" ]
	[ "$(stat -c %a "$M/a/c" "$M/a/d" | xargs)" = "755 700" ]
	run ucg exec "$M/x/y" true
	ends 1
	says "No such file or directory"
	run ucg exec "$M/a" "$UCG_TMP/no-such-program"
	ends 1
	says "no-such-program"
	run ucg exec "$UCG_TMP/a" true
	ends 1
	says "on no mount of instance"
	run ucg exec nowhere:/a true
	ends 1
	says "no such hierarchy"
	run ucg exec "$M/tasks" true
	ends 1
}

@test "attach moves processes, and threads" {
	mount_jobs
	mkdir "$M/a"
	sleep 100 3>&- &
	local one=$!
	sleep 100 3>&- &
	local two=$!
	STRAYS+=("$one" "$two")
	run ucg attach "$M/a" $one $two
	ends 0
	[ "$(cat "$M/a/tasks")" = "$(printf '%s\n' $one $two | sort -n)" ]
	run ucg attach jobs:/ $one 4194303 $two
	ends 1
	says "4194303"
	says "No such process"
	[ -z "$(cat "$M/a/tasks")" ]
	run ucg attach -t "$M/a" $one
	ends 0
	[ "$(cat "$M/a/tasks")" = $one ]
	run ucg attach "$M/missing" $one
	ends 1
	says "No such file or directory"
}

@test "kill ends every process of the subtree, forks included" {
	mount_jobs
	mkdir "$M/a"
	# Breeds for as long as it lives, ignores SIGTERM in one branch, and has a second level.
	ucgroup exec "$M/a" sh -c 'while :; do sleep 100 & sleep 0.01; done' 2>/dev/null 3>&- &
	ucg_await 5 grep -q . "$M/a/tasks"
	ucgroup exec "$M/a/b" sleep 100 2>/dev/null 3>&- &
	ucg_await 5 grep -q . "$M/a/b/tasks"
	ucg exec "$M/a/c" setsid sh -c "trap '' TERM; echo >$UCG_TMP/ready; sleep 100; sleep 100" \
		2>/dev/null 3>&- &
	ucg_await 5 test -s "$UCG_TMP/ready"
	run timeout 1 "$UCG_BUILD/ucgroup" kill "$M/a/c"
	ends 124 # waits for the one that ignores it
	run timeout 20 "$UCG_BUILD/ucgroup" kill -s KILL "$M/a"
	ends 0
	[ -z "$(cat "$M/a/tasks" "$M/a/b/tasks" "$M/a/c/tasks")" ]
	ucgroup exec "$M/a" sh -c "trap 'exit 3' USR1; echo >$UCG_TMP/ready2; while :; do sleep 0.1; done" \
		3>&- &
	local pid=$!
	ucg_await 5 test -s "$UCG_TMP/ready2"
	run timeout 20 "$UCG_BUILD/ucgroup" kill -s sigusr1 "$M/a"
	ends 0
	run wait $pid
	run ucg kill "$M/missing"
	ends 1
}

@test "tree and ps show the groups and who is in them" {
	mount_jobs
	mkdir -p "$M/a/deep" "$M/b" "$M/a b"
	echo 1 >"$M/b/notify_on_release"
	ucgroup exec "$M/a/deep" sleep 100 3>&- &
	local pid=$!
	STRAYS+=("$pid")
	ucg_await 5 grep -qx $pid "$M/a/deep/tasks"
	ucg_await 5 grep -q sleep "/proc/$pid/comm"
	run ucg tree "$M"
	ends 0
	[ "${lines[0]%%  *}" = jobs:/ ]
	[ "${lines[1]}" = "├─ a  0 tasks" ]
	[ "${lines[2]}" = "│  └─ deep  1 task" ]
	[ "${lines[3]}" = "├─ b  0 tasks, notifies" ]
	[ "${lines[4]}" = "└─ a b  0 tasks" ]
	[ ${#lines[@]} = 5 ]
	run ucg tree "$M/a"
	ends 0
	[ "${lines[0]}" = "jobs:/a  0 tasks" ]
	[ "${lines[1]}" = "└─ deep  1 task" ]
	run ucg tree
	ends 0
	says "jobs:/"
	run ucg --json tree "$M/a"
	ends 0
	python3 -c 'import json, sys; g = json.loads(sys.argv[1])
assert [x["path"] for x in g] == ["/a", "/a/deep"], g
assert g[1]["tasks"] == 1 and g[1]["depth"] == 1 and g[0]["children"] == 1, g' "$output"
	run ucg ps
	ends 0
	[[ ${lines[1]} =~ ^\ *$pid\ +jobs:/a/deep\ +sleep\ 100$ ]]
	[ ${#lines[@]} = 2 ]
	run ucg --json ps "$M/a"
	ends 0
	says "\"pid\": $pid"
	run ucg ps "$M/b"
	ends 0
	[ ${#lines[@]} = 1 ]
	run ucg tree "$M/missing"
	ends 1
	says "No such file or directory"
	# A name that is no UTF-8 must not take the whole answer away.
	mkdir "$M/$(printf 'x\377')"
	run ucg tree "$M"
	ends 0
	says 'x\xff'
}

@test "wait returns when the group is idle, or its time is up" {
	mount_jobs
	mkdir "$M/a"
	run ucg wait "$M/a"
	ends 0
	ucgroup exec "$M/a" sleep 1000 3>&- &
	local member=$! pid
	STRAYS+=("$member")
	ucg_await 5 alone_in $member "$M/a"
	run ucg wait -t 0.1 "$M/a"
	ends 1
	says "not idle"
	ucgroup wait -t 100 jobs:/a 3>&- &
	pid=$!
	sleep 0.2
	kill -0 $pid
	kill -KILL $member
	wait $pid
	[ -z "$(cat "$M/a/tasks")" ]
	# Gone is idle, too; and a child keeps its parent busy.
	mkdir "$M/a/b"
	ucgroup wait "$M/a" 3>&- &
	pid=$!
	sleep 0.2
	kill -0 $pid
	rmdir "$M/a/b"
	wait $pid
	run ucg wait "$M/missing"
	ends 1
}

# ---- releases -----------------------------------------------------------------------------------

# An agent that notes what it is given, one file a call.
write_agent() {
	cat >"$UCG_TMP/agent" <<-AGENT
		#!/bin/sh
		exec >$UCG_TMP/seen.\$\$ 2>&1
		tr '\\0' '\\n' </proc/\$\$/cmdline
		echo --
		tr '\\0' '\\n' </proc/\$\$/environ
		echo --
		readlink /proc/\$\$/cwd
		ls -l /proc/self/fd
		grep -E '^Sig(Blk|Ign):' /proc/self/status
		umask
		mv $UCG_TMP/seen.\$\$ $UCG_TMP/call.\$\$
	AGENT
	chmod 755 "$UCG_TMP/agent"
}

calls() {
	set -- "$UCG_TMP"/call.*
	[ -e "$1" ] && echo $# || echo 0
}

calls_are() {
	[ "$(calls)" = "$1" ]
}

@test "the release agent gets exactly what it is to get" {
	write_agent
	mount_jobs
	echo "$UCG_TMP/agent" >"$M/release_agent"
	ucg exec -r "$M/a b" true
	ucg_await 10 calls_are 1
	cat "$UCG_TMP"/call.*
	# A script is started by its interpreter, which puts itself before the two arguments.
	[ "$(sed '/^--$/,$d' "$UCG_TMP"/call.*)" = "$(printf '/bin/sh\n%s\n/a b' "$UCG_TMP/agent")" ]
	[ "$(sed '1,/^--$/d;/^--$/,$d' "$UCG_TMP"/call.* | sort)" = \
		"$(printf 'HOME=/\nPATH=/sbin:/bin:/usr/sbin:/usr/bin\nUCGROUP_HIERARCHY=jobs')" ]
	run sed '1,/^--$/d;1,/^--$/d' "$UCG_TMP"/call.*
	says " 0 -> /dev/null"
	# 1 and 2 are the agent's own file by now, 3 is what ls has open itself.
	[ "$(grep -c ' -> ' <<<"$output")" = 4 ]
	says " 3 -> /proc/"
	says "$(printf 'SigBlk:\t0000000000000000')"
	says "$(printf 'SigIgn:\t0000000000000000')"
	says 0022
	# And the group is told once per time it goes idle.
	ucg exec "$M/a b" true
	ucg_await 10 calls_are 2
	sleep 0.3
	calls_are 2
	[ "$(stat_of releases.delivered)" = 2 ]
}

@test "an agent has the priority of whoever started the daemon, not the daemon's" {
	printf '#!/bin/sh\necho $(cut -d" " -f19 /proc/$$/stat) >>%s/nice\n' "$UCG_TMP" >"$UCG_TMP/agent"
	chmod 755 "$UCG_TMP/agent"
	mount_jobs "release_agent=$UCG_TMP/agent"
	ucg exec -r "$M/a" true
	ucg_await 10 lines_are 1 "$UCG_TMP/nice"
	[ "$(cat "$UCG_TMP/nice")" = "$(cut -d' ' -f19 /proc/self/stat)" ]
	[ "$(cut -d' ' -f19 "/proc/$(ucg_daemon_pid)/stat")" -lt "$(cat "$UCG_TMP/nice")" ]
}

@test "an agent's standard input, output and error are /dev/null" {
	cat >"$UCG_TMP/agent" <<-AGENT
		#!/bin/sh
		for fd in 0 1 2; do readlink /proc/\$\$/fd/\$fd; done >$UCG_TMP/fds
		mv $UCG_TMP/fds $UCG_TMP/done
	AGENT
	# The redirection is the loop's: the links are those of the shell's own descriptors.
	sed -i 's/^for.*/a=$(readlink \/proc\/$$\/fd\/0) b=$(readlink \/proc\/$$\/fd\/1) c=$(readlink \/proc\/$$\/fd\/2)\necho $a $b $c >'"${UCG_TMP//\//\\/}"'\/fds/' "$UCG_TMP/agent"
	chmod 755 "$UCG_TMP/agent"
	mount_jobs "release_agent=$UCG_TMP/agent"
	ucg exec -r "$M/a" true
	ucg_await 10 test -e "$UCG_TMP/done"
	[ "$(cat "$UCG_TMP/done")" = "/dev/null /dev/null /dev/null" ]
}

@test "at most 64 agents run at once, and releases are told in the order they fell due" {
	cat >"$UCG_TMP/agent" <<-AGENT
		#!/bin/sh
		echo \$1 >>$UCG_TMP/called
		while [ ! -e $UCG_TMP/go ]; do sleep 0.05; done
	AGENT
	chmod 755 "$UCG_TMP/agent"
	mount_jobs "release_agent=$UCG_TMP/agent"
	ucgroup --json watch >"$UCG_TMP/events" 3>&- &
	STRAYS+=($!)
	ucg_await 5 stat_is watches 1
	local i
	# shellcheck disable=SC2317 # called by ucg_await
	told() { # N: so many releases have reached who watches
		sed -n 's/.*"event":"release".*"hierarchy":"jobs","path":"\([^"]*\)".*/\1/p' \
			"$UCG_TMP/events" >"$UCG_TMP/told"
		lines_are "$1" "$UCG_TMP/told"
	}
	for i in $(seq 80); do
		ucg exec -r "$M/g$i" true
		echo "/g$i" >>"$UCG_TMP/order"
	done
	ucg_await 10 stat_is releases.agents_running 64
	sleep 0.3
	[ "$(stat_of releases.agents_running)" = 64 ]
	ucg_await 5 lines_are 64 "$UCG_TMP/called"
	# A hierarchy whose agent starts no process is not held up by those that wait.
	mkdir "$UCG_TMP/n"
	ucg mount -o none,name=other,release_agent=builtin:rmdir x "$UCG_TMP/n"
	ucg exec -r "$UCG_TMP/n/quick" true
	ucg_await 5 test ! -e "$UCG_TMP/n/quick"
	touch "$UCG_TMP/go"
	ucg_await 20 lines_are 80 "$UCG_TMP/called"
	ucg_await 10 stat_is releases.agents_running 0
	[ "$(stat_of releases.agents_started)" = 80 ]
	[ "$(sort "$UCG_TMP/called")" = "$(sort "$UCG_TMP/order")" ]
	ucg_await 5 told 80
	diff "$UCG_TMP/order" "$UCG_TMP/told"
}

@test "builtin:rmdir removes the group, then its parent by the same rules" {
	mount_jobs release_agent=builtin:rmdir
	mkdir "$M/a" "$M/a/keep"
	echo 1 >"$M/a/notify_on_release"
	ucg exec -r "$M/a/b" true
	ucg_await 5 test ! -e "$M/a/b"
	[ -d "$M/a" ]
	rmdir "$M/a/keep"
	ucg_await 5 test ! -e "$M/a"
	[ "$(stat_of releases.removed)" = 2 ]
}

@test "an agent's failure is logged and told, and does no harm" {
	ucgroupd --foreground --instance "$UCG_INSTANCE" 2>"$UCG_TMP/log" 3>&- &
	STRAYS+=($!)
	ucg_await 10 grep -q ready "$UCG_TMP/log"
	mount_jobs
	ucgroup watch "$M" >"$UCG_TMP/events" 3>&- &
	STRAYS+=($!)
	ucg_await 5 stat_is watches 1
	printf '#!/bin/sh\nexit 3\n' >"$UCG_TMP/agent"
	chmod 755 "$UCG_TMP/agent"
	echo "$UCG_TMP/agent" >"$M/release_agent"
	ucg exec -r "$M/a" true
	ucg_await 5 grep -q "$UCG_TMP/agent for /a of jobs: exit status 3" "$UCG_TMP/log"
	printf '#!/bin/sh\nkill -SEGV $$\n' >"$UCG_TMP/agent"
	ucg exec "$M/a" true
	ucg_await 5 grep -q "for /a of jobs: killed by signal 11" "$UCG_TMP/log"
	echo "$UCG_TMP/missing" >"$M/release_agent"
	ucg exec "$M/a" true
	ucg_await 5 grep -q "cannot run release agent $UCG_TMP/missing.*No such file" "$UCG_TMP/log"
	ucg_await 5 lines_are 6 "$UCG_TMP/events"
	cat "$UCG_TMP/events"
	[ "$(grep -c ' release jobs:/a ' "$UCG_TMP/events")" = 3 ]
	grep -q ' agent jobs:/a .*/agent status 3$' "$UCG_TMP/events"
	grep -q ' agent jobs:/a .*/agent status 139$' "$UCG_TMP/events"
	grep -q ' agent jobs:/a .*/missing not started: ' "$UCG_TMP/events"
	[ "$(stat_of releases.failed)" = 3 ]
	# No zombie is left.
	ucg_await 5 eval '[ -z "$(ps -o stat= --ppid "$(ucg_daemon_pid)")" ]'
}

@test "an agent's path may lead through a mount of ours" {
	mount_jobs "release_agent=$M/no/such/agent"
	ucg exec -r "$M/a" true
	ucg_await 5 stat_is releases.failed 1
	ln -s "$M/../real" "$UCG_TMP/link"
	printf '#!/bin/sh\necho $1 >%s/called\n' "$UCG_TMP" >"$UCG_TMP/real"
	chmod 755 "$UCG_TMP/real"
	echo "$UCG_TMP/link" >"$M/release_agent"
	ucg exec "$M/a" true
	ucg_await 5 grep -qx /a "$UCG_TMP/called"
}

@test "a hierarchy that lost its last mount goes with its last group" {
	mount_jobs release_agent=builtin:rmdir
	ucgroup exec -r "$M/a" sleep 100 3>&- &
	local pid=$!
	STRAYS+=("$pid")
	ucg_await 5 grep -qx $pid "$M/a/tasks"
	ucg umount "$M"
	run ucg hierarchies
	says jobs
	run ucg ps
	says "$pid"
	kill -KILL $pid
	ucg_await 5 eval '! ucg hierarchies | grep -q jobs'
}

@test "watch tells releases, of a subtree or of all" {
	mount_jobs
	mkdir "$M/a" "$M/b"
	ucgroup watch >"$UCG_TMP/all" 3>&- &
	STRAYS+=($!)
	ucgroup --json watch "$M/a" >"$UCG_TMP/some" 3>&- &
	STRAYS+=($!)
	ucg_await 5 stat_is watches 2
	# Nothing is told of a group that does not notify.
	ucg exec "$M/a/quiet" true
	ucg exec -r "$M/b/1" true
	ucg exec -r "$M/a/2" true
	ucg_await 5 lines_are 2 "$UCG_TMP/all"
	ucg_await 5 lines_are 1 "$UCG_TMP/some"
	sed -n 1p "$UCG_TMP/all" | grep -q ' release jobs:/b/1$'
	sed -n 2p "$UCG_TMP/all" | grep -q ' release jobs:/a/2$'
	python3 -c 'import json, sys; e = json.loads(sys.stdin.read())
assert e["event"] == "release" and e["hierarchy"] == "jobs" and e["path"] == "/a/2", e' \
		<"$UCG_TMP/some"
	run ucg watch "$UCG_TMP"
	ends 1
	says "on no mount"
}

# ---- who may what -------------------------------------------------------------------------------

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups env -u XDG_RUNTIME_DIR "$@"
}

@test "an ordinary user may over the socket what the files would let him, and no more" {
	mount_jobs
	mkdir "$M/his" "$M/hidden" "$M/hidden/in"
	chown -R 65534:65534 "$M/his"
	chmod 700 "$M/hidden"
	run as_nobody ucgroup mount -o none,name=mine x "$M"
	ends 1
	says "only root and the instance's owner may mount"
	run as_nobody ucgroup remount -o none,name=jobs "$M"
	ends 1
	says "Operation not permitted"
	run as_nobody ucgroup shutdown
	ends 1
	says "only root"
	# Another's process, a place that is not his, a place he cannot see.
	sleep 100 3>&- &
	local pid=$!
	STRAYS+=("$pid")
	run as_nobody ucgroup attach "$M/his" $pid
	ends 1
	says "Permission denied"
	run as_nobody ucgroup exec "$M/a" true
	ends 1
	says "Permission denied"
	[ ! -e "$M/a" ]
	run as_nobody ucgroup exec jobs:/hidden/in true
	ends 1
	says "Permission denied"
	run as_nobody ucgroup tree jobs:/hidden/in
	ends 1
	says "Permission denied"
	run as_nobody ucgroup tree jobs:/
	ends 0
	says "hidden"
	[[ $output != *" in "* ]]
	# His own.
	run as_nobody ucgroup exec -r "$M/his/x" id -u
	ends 0
	[ "$output" = 65534 ]
	[ "$(stat -c %u:%g "$M/his/x")" = 65534:65534 ]
	setpriv --reuid=65534 --regid=65534 --clear-groups sleep 100 3>&- &
	pid=$!
	STRAYS+=("$pid")
	ucg_await 5 grep -q '^Uid:[[:space:]]65534[[:space:]]65534' "/proc/$pid/status"
	run as_nobody ucgroup attach "$M/his" $pid
	ends 0
	[ "$(cat "$M/his/tasks")" = $pid ]
	run as_nobody ucgroup attach jobs:/ $pid
	ends 1
	says "Permission denied"
	run as_nobody ucgroup hierarchies
	ends 0
	says jobs
}

@test "root of another user namespace cannot name a release agent, mount or shut down" {
	mount_jobs
	# Root outside, too, so that the files let it; it is the namespace that does not.
	run unshare -U --map-root-user ucgroup hierarchies
	ends 0
	run unshare -U --map-root-user ucgroup remount -o none,name=jobs,release_agent=/bin/evil "$M"
	ends 1
	says "Operation not permitted"
	[ -z "$(tr -d '\n' <"$M/release_agent")" ]
	run unshare -U --map-root-user ucgroup mount -o none,name=other,release_agent=/bin/evil "$M"
	ends 1
	says "Operation not permitted"
	run unshare -U --map-root-user ucgroup shutdown
	ends 1
	ucg hierarchies | grep -q jobs
}

@test "a client in another pid namespace never moves or names the wrong task" {
	mount_jobs
	mkdir "$M/a"
	# It enters itself, whatever its number is there.
	unshare -p -f --mount-proc ucgroup exec "$M/b" sleep 100 3>&- &
	STRAYS+=($!)
	ucg_await 5 grep -q . "$M/b/tasks"
	STRAYS+=("$(cat "$M/b/tasks")")
	[ "$(cat "$M/b/tasks" | xargs -I{} awk '/^NSpid:/ { print NF, $NF }' /proc/{}/status)" = "3 1" ]
	# Number 2 there is a child of its own; number 2 here is the kernel's.
	run timeout 20 unshare -p -f --mount-proc sh -c "
		sleep 100 & ucgroup attach '$M/a' \$!; ucgroup ps '$M/a' >$UCG_TMP/ps; kill \$!"
	[ -z "$(grep -x 2 "$M/a/tasks")" ]
	not grep -q '^ *2 .*kthreadd' "$UCG_TMP/ps"
}

# ---- bad input ----------------------------------------------------------------------------------

@test "nothing that is sent to the control socket stops the daemon" {
	mount_jobs
	local pid
	pid=$(ucg_daemon_pid)
	python3 - "$(ucg_rundir)/control.sock" <<-'PY'
		import os, random, socket, struct, sys
		rnd = random.Random(1)
		def connect():
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(sys.argv[1])
		    s.settimeout(10)
		    return s
		def frame(op, seq, payload):
		    return struct.pack("=IHHIi", 16 + len(payload), op, 0, seq, 0) + payload
		hello = frame(1, 1, struct.pack("=II", 0x52474355, 1))
		def reply(s):
		    data = b""
		    while len(data) < 16:
		        more = s.recv(16 - len(data))
		        if not more:
		            return None
		        data += more
		    n, op, _, seq, err = struct.unpack("=IHHIi", data)
		    while len(data) < n:
		        data += s.recv(n - len(data))
		    return op, seq, err
		# Not a hello first; another version; another magic number.
		s = connect(); s.send(frame(4, 9, b"")); assert reply(s) == (0x8004, 9, -71)
		s = connect(); s.send(frame(1, 3, struct.pack("=II", 0x52474355, 99)))
		assert reply(s) == (0x8001, 3, -71)
		s = connect(); s.send(frame(1, 3, struct.pack("=II", 7, 1)))
		assert reply(s) == (0x8001, 3, -71)
		# Lengths that cannot be.
		for n in (0, 15, 0xffffffff, 4 * 1024 * 1024 + 1):
		    s = connect(); s.send(hello); assert reply(s)[2] == 0
		    s.send(struct.pack("=IHHIi", n, 4, 0, 2, 0))
		    assert reply(s)[2] < 0
		    assert s.recv(1) == b""
		# An unknown op, and every op with nothing or with nonsense: an error, and on it goes.
		s = connect(); s.send(hello); assert reply(s)[2] == 0
		seq = 2
		for op in list(range(2, 15)) + [16, 99, 0x4000, 0x7fff]:
		    if op == 15:
		        continue
		    for size in (0, 1, 7, 64, 1000):
		        seq += 1
		        s.send(frame(op, seq, bytes(rnd.randrange(1, 256) for _ in range(size))))
		        got = reply(s)
		        assert got[1] == seq, (op, size, got)
		        assert got[2] < 0 or (op == 4 and size == 0), (op, size, got)
		# A valid request byte by byte, and many at once.
		for b in frame(4, 77, b""):
		    s.send(bytes([b]))
		assert reply(s) == (0x8004, 77, 0)
		s.sendall(b"".join(frame(4, i, b"") for i in range(1000, 6000)))
		for i in range(1000, 6000):
		    assert reply(s) == (0x8004, i, 0)
		# Noise.
		for i in range(300):
		    s = connect()
		    try:
		        if i % 2:
		            s.send(hello)
		        s.send(os.urandom(rnd.randrange(1, 5000)))
		    except OSError:
		        pass
		    s.close()
		# Who asks and never reads is left waiting, not served into memory.
		s = connect(); s.send(hello); s.setblocking(False)
		query = frame(14, 5, struct.pack("=III", 3, 0, 0) + b"\0")
		sent = 0
		try:
		    while sent < 200 * 1024 * 1024:
		        sent += s.send(query * 1000)
		except BlockingIOError:
		    pass
		assert sent < 50 * 1024 * 1024, sent
		open_ones = [connect() for _ in range(100)]
		t = connect(); t.send(hello); assert reply(t)[2] == 0
	PY
	[ "$(ucg_daemon_pid)" = "$pid" ]
	[ "$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")" -lt 500000 ]
	ucg hierarchies | grep -q jobs
}

# ---- the end ------------------------------------------------------------------------------------

programs() {
	bpftool prog show 2>/dev/null | grep -c ' name ucg_' || true
}

@test "shutdown refuses nothing and leaves nothing" {
	local pid inside
	mount_jobs release_agent=/bin/true
	mkdir "$UCG_TMP/n" "$UCG_TMP/p" "$M/a" "$M/a/deep"
	ucg mount -o debug x "$UCG_TMP/n"
	ucg mount -t proc "$UCG_TMP/p"
	pid=$(ucg_daemon_pid)
	# Tasks in groups, a file and a directory in use, a bind mount, another mount namespace.
	ucgroup exec -r "$M/a/deep" sleep 100 3>&- &
	STRAYS+=($!)
	ucg_await 5 alone_in $! "$M/a/deep"
	ucg_await 5 executes $! sleep
	sleep 100 <"$M/a/tasks" 3>&- &
	STRAYS+=($!)
	ucg_await 5 executes $! sleep
	(cd "$M/a" && exec sleep 100) 3>&- &
	STRAYS+=($!)
	ucg_await 5 executes $! sleep
	mkdir "$UCG_TMP/bind"
	mount --bind "$M/a" "$UCG_TMP/bind"
	unshare -m --propagation private sleep 100 3>&- &
	inside=$!
	STRAYS+=("$inside")
	ucg_await 5 eval '[ "$(readlink /proc/$inside/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ]'
	grep -q "$M " "/proc/$inside/mountinfo"
	run ucg shutdown
	ends 0
	[ -z "$output" ]
	ucg_gone "$pid"
	run ucg_mounts_below "$UCG_TMP"
	[ -z "$output" ]
	not grep "$UCG_TMP" "/proc/$inside/mountinfo"
	[ ! -e "$(ucg_rundir)" ]
	[ ! -e "/sys/fs/bpf/ucgroup/$UCG_INSTANCE" ]
	# The processes live on, in no group.
	for pid in "${STRAYS[@]}"; do
		kill -0 "$pid"
	done
	run ucg shutdown
	ends 0
	says "no daemon"
}

@test "doctor finds this machine fit, in words and in JSON" {
	run ucg doctor
	ends 0
	says "tracking"
	says "/dev/fuse"
	run ucg --json doctor
	ends 0
	python3 -c 'import json, sys; assert all(f["ok"] for f in json.loads(sys.argv[1]))' "$output"
	run as_nobody ucgroup --instance "$UCG_INSTANCE" doctor
	ends 1
	says "MISSING"
	[ ! -e "$(ucg_rundir)" ]
}

@test "stats count, in words and in JSON" {
	mount_jobs
	ucg exec "$M/a" true
	[ "$(stat_of instance)" = "$UCG_INSTANCE" ]
	[ "$(stat_of core.hierarchies)" = 1 ]
	[ "$(stat_of core.cgroups)" -ge 2 ]
	[ "$(stat_of core.moved)" = 1 ]
	[ "$(stat_of core.oddities)" = 0 ]
	run ucg --json stats
	python3 -c 'import json, sys; s = json.loads(sys.argv[1])
assert s["tracker"]["name"] == "bpf" and s["mounts"] == 1, s' "$output"
}
