#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The example program of libucgroup does what it says.
#
# timeout: 60

load ../lib/common

setup() { ucg_setup; }
teardown() { ucg_teardown; }

@test "jobs: each command in a group of its own, waited for with what it leaves behind" {
	mkdir "$UCG_TMP/m"
	ucg mount -o none,name=jobs jobs "$UCG_TMP/m"
	run timeout 30 "$UCG_BUILD/examples/jobs/jobs" "$UCG_TMP/m" 3 \
		sh -c '(sleep 0.3; echo left by $0 >>"$1/out") & sleep 0.1' x "$UCG_TMP"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *" tasks in 3 groups"* ]]
	for i in 0 1 2; do
		[ "$(grep -cx "job-$i is idle" <<<"$output")" -eq 1 ]
	done
	[ "$(wc -l <"$UCG_TMP/out")" -eq 3 ]
	[ -z "$(find "$UCG_TMP/m" -mindepth 1 -type d)" ]
}

@test "jobs: no daemon, a group that is not there" {
	run timeout 30 "$UCG_BUILD/examples/jobs/jobs" "$UCG_TMP" 1 true
	[ "$status" -eq 1 ]
	[[ "$output" == "jobs: no connection: "* ]]
	mkdir "$UCG_TMP/m"
	ucg mount -o none,name=jobs jobs "$UCG_TMP/m"
	run timeout 30 "$UCG_BUILD/examples/jobs/jobs" "$UCG_TMP/m/none" 1 true
	[ "$status" -eq 1 ]
	[ "$output" = "jobs: making the groups: No such file or directory" ]
}
