#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is left when it is over: nothing, however it ends.

load lib/common

setup() {
	ucg_setup || return 1
	mkdir "$UCG_TMP/a" "$UCG_TMP/b"
}

teardown() { ucg_teardown; }

# The BPF objects the daemon holds, by the ids its descriptors tell.
held() { # PID prog_id|map_id|link_id
	cat /proc/"$1"/fdinfo/* 2>/dev/null | sed -n "s/^$2:[[:space:]]*//p" | sort -un
}

in_use() {
	local pid
	ucg mount -o none,name=one leftover "$UCG_TMP/a"
	ucg mount -o debug leftover "$UCG_TMP/b"
	mkdir "$UCG_TMP/a/group"
	pid=$(ucg_daemon_pid)
	programs=$(held "$pid" prog_id)
	maps=$(held "$pid" map_id)
	links=$(held "$pid" link_id)
	[ -n "$programs" ] && [ -n "$maps" ] && [ -n "$links" ]
}

# The kernel frees BPF objects a moment after the last descriptor is closed.
all_freed() {
	local id
	for id in $programs; do ! bpftool prog show id "$id" >/dev/null 2>&1 || return 1; done
	for id in $maps; do ! bpftool map show id "$id" >/dev/null 2>&1 || return 1; done
	for id in $links; do ! bpftool link show id "$id" >/dev/null 2>&1 || return 1; done
}

nothing_left() {
	ucg_await 5 all_freed || return 1
	[ ! -e "/run/ucgroup/$UCG_INSTANCE" ] || return 1
	[ ! -e "/sys/fs/bpf/ucgroup/$UCG_INSTANCE" ] || return 1
	[ -z "$(ucg_mounts_below "$UCG_TMP")" ] || return 1
	[ -z "$(ucg_daemon_pid)" ]
}

@test "the test sees what the daemon holds" {
	in_use
	! all_freed
}

@test "shutdown leaves no program, pin, directory, mount or process" {
	in_use
	ucg shutdown
	nothing_left
}

@test "shutdown with members leaves nothing, and the members alive" {
	local pid
	in_use
	sleep 100 3>&- &
	pid=$!
	echo "$pid" >"$UCG_TMP/a/group/tasks"
	ucg shutdown
	nothing_left
	kill "$pid"
}

@test "SIGTERM is an orderly end too" {
	in_use
	kill -TERM "$(ucg_daemon_pid)"
	ucg_await 10 nothing_left
}

@test "a killed daemon's programs go with it, and its instance starts again" {
	local pid
	in_use
	pid=$(ucg_daemon_pid)
	kill -KILL "$pid"
	ucg_await 5 ucg_gone "$pid"
	ucg_await 5 all_freed
	umount "$UCG_TMP/a"
	umount "$UCG_TMP/b"
	in_use
	[ -d "$UCG_TMP/a/group" ]
	ucg shutdown
	nothing_left
}
