#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Subsystems built outside the tree, against what `make install` installs: the example, and some that
# are wrong in one way or another.
#
# timeout: 120

load lib/common

setup() {
	ucg_setup || return 1
	M=$UCG_TMP/m
	N=$UCG_TMP/n
	mkdir "$M" "$N"
	STRAYS=()
}

teardown() {
	local pid
	for pid in "${STRAYS[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
	ucg_teardown
}

# Once for the file: it does not depend on the test.
setup_file() {
	ROOT=$BATS_FILE_TMPDIR/root
	UCGROUP_BUILD=${UCGROUP_BUILD:-$(cd "$BATS_TEST_DIRNAME/../build" && pwd)}
	meson install -C "$UCGROUP_BUILD" --no-rebuild --quiet --destdir "$ROOT" || return 1
	# What is in the build directory is its owner's.
	chown -R --reference="$UCGROUP_BUILD/build.ninja" "$UCGROUP_BUILD/meson-logs"
	PC=$(dirname "$(find "$ROOT" -name ucgroup.pc)")
	DAEMON=$(find "$ROOT" -type f -name ucgroupd -perm -u+x)
	export ROOT PC DAEMON UCGROUP_BUILD
}

pkg_config() {
	PKG_CONFIG_SYSROOT_DIR=$ROOT PKG_CONFIG_LIBDIR=$PC PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
		pkg-config "$@"
}

# The example, in $UCG_TMP/maxtasks/maxtasks.so: copied out of the tree and made by its own Makefile.
example() {
	cp -r "$BATS_TEST_DIRNAME/../examples/maxtasks" "$UCG_TMP/"
	rm -f "$UCG_TMP/maxtasks/maxtasks.so"
	PKG_CONFIG_SYSROOT_DIR=$ROOT PKG_CONFIG_LIBDIR=$PC PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
		make -s -C "$UCG_TMP/maxtasks" CFLAGS="-O2 -Wall -Wextra -Werror"
}

# A subsystem that can be wrong in many ways, by -D...: $UCG_TMP/NAME.so
picky() { # NAME [-D...]
	local name=$1
	shift
	cat >"$UCG_TMP/picky.c" <<-'C'
		#include <errno.h>
		#include <stdlib.h>
		#include <string.h>
		#include <ucgroup/subsys.h>

		#ifndef NAME
		#define NAME "picky"
		#endif
		#ifndef FILE_NAME
		#define FILE_NAME "states"
		#endif

		static uint64_t n_states;
		int there_is_no_such_function(void);

		static int create(struct cgroup_subsys *ss, struct cgroup *cgrp,
				  struct cgroup_subsys_state **css)
		{
			char path[4096];

			*css = calloc(1, sizeof(**css));
			n_states++;
			cgroup_path(cgrp, path, sizeof(path));
		#ifdef FAIL_ON_ROOT
			if (!cgroup_parent(cgrp))
				strcpy(path, "/bad");
		#endif
		#ifdef UNRESOLVED
			return there_is_no_such_function();
		#endif
			if (strcmp(strrchr(path, '/'), "/bad"))
				return 0;
			/* halfway: what was made so far is ours to take back */
			free(*css);
			n_states--;
			(void)ss;
			return -EDQUOT;
		}

		static void destroy(struct cgroup_subsys *ss, struct cgroup *cgrp)
		{
			free(css_of(cgrp, ss));
			n_states--;
		}

		static int read_states(struct cgroup *cgrp, const struct cftype *cft, uint64_t *val)
		{
			(void)cgrp, (void)cft;
			*val = n_states;
			return 0;
		}

		static const struct cftype files[] = {
			{.name = FILE_NAME, .read_u64 = read_states},
			{.name = NULL},
		};

		struct cgroup_subsys picky = {
			.name = NAME,
			.cftypes = files,
			.create = create,
			.destroy = destroy,
		};

		#if defined(ABI)
		const struct cgroup_subsys_plugin ucgroup_subsys_plugin = {ABI, sizeof(picky), &picky};
		#elif defined(SIZE)
		const struct cgroup_subsys_plugin ucgroup_subsys_plugin = {
			CGROUP_SUBSYS_ABI, SIZE, &picky};
		#elif !defined(NO_PLUGIN)
		CGROUP_SUBSYS_PLUGIN(picky);
		#endif
	C
	# shellcheck disable=SC2046 # words
	cc -shared -fPIC -Wall -Wextra -Werror $(pkg_config --cflags ucgroup) "$@" \
		-o "$UCG_TMP/$name.so" "$UCG_TMP/picky.c"
}

with() { # FILE.so...: start the daemon that was installed
	local file args=()
	for file; do
		args+=(--subsystem "$file")
	done
	"$DAEMON" --instance "$UCG_INSTANCE" "${args[@]}" 3>&-
}

refused() { # WORDS COMMAND...: exit status 1, WORDS in what it says, and nothing is left
	local words=$1
	shift
	run "$@"
	printf '%s\n' "$output"
	[ "$status" = 1 ] || return 1
	[[ $output == *"$words"* ]] || return 1
	[ ! -e "$(ucg_rundir)" ]
}

is() { # GOT EXPECTED
	[ "$1" = "$2" ] && return
	printf 'got:      %s\nexpected: %s\n' "$1" "$2"
	return 1
}

stray() {
	sleep 1000 3>&- &
	STRAY=$!
	STRAYS+=("$STRAY")
}

move() { # PID DIR: the errno's words, or nothing
	{ echo "$1" >"$2"; } 2>&1 | sed 's/.*: //'
}

@test "the example: built against the installed header, and its limit holds for real processes" {
	example
	with "$UCG_TMP/maxtasks/maxtasks.so"
	ucg mount -o maxtasks src "$M"
	mkdir -p "$M/a/b"
	[ ! -e "$M/maxtasks.max" ]
	is "$(cat "$M/a/maxtasks.max")" max
	for bad in -1 x 1x "" " " 0x3 99999999999999999999; do
		is "$(move "$bad" "$M/a/maxtasks.max" | head -c 7)" "$(
			case $bad in 9*) echo Numeric ;; *) echo Invalid ;; esac)"
	done
	echo 3 >"$M/a/maxtasks.max"
	for i in 1 2 3; do
		stray
		is "$(move "$STRAY" "$M/a/b/tasks")" ""
	done
	is "$(cat "$M/a/maxtasks.current" "$M/a/b/maxtasks.current" | tr '\n' ' ')" "3 3 "
	stray
	is "$(move "$STRAY" "$M/a/tasks")" "No space left on device"
	is "$(move "$STRAY" "$M/a/b/cgroup.procs")" "No space left on device"
	is "$(cat "$M/a/maxtasks.events" | tr '\n' ' ')" "refused 2 exceeded 0 "
	is "$(cat "$M/a/b/maxtasks.events" | tr '\n' ' ')" "refused 0 exceeded 0 "
	grep -qx "$STRAY" "$M/tasks"
	# Within what is limited, tasks may move.
	is "$(move "${STRAYS[0]}" "$M/a/tasks")" ""
	is "$(cat "$M/a/maxtasks.current" "$M/a/b/maxtasks.current" | tr '\n' ' ')" "3 2 "
	kill -KILL "${STRAYS[1]}"
	wait "${STRAYS[1]}" || true
	is "$(cat "$M/a/maxtasks.current" "$M/a/b/maxtasks.current" | tr '\n' ' ')" "2 1 "
	is "$(move "$STRAY" "$M/a/tasks")" ""
	is "$(move "$STRAY" "$M/tasks")" ""
	is "$(cat "$M/a/maxtasks.current")" 2
}

@test "the example: forks are counted, processes enter as a whole, children inherit with clone_children" {
	example
	with "$UCG_TMP/maxtasks/maxtasks.so"
	ucg mount -o maxtasks src "$M"
	mkdir "$M/a"
	echo 5 >"$M/a/maxtasks.max"
	timeout 30 python3 - "$M" <<-'E'
		import os, sys, threading
		M = sys.argv[1]
		def read(f): return open(M + f).read()
		def write(f, s):
		    with open(M + f, "wb", buffering=0) as o: o.write(s.encode())
		def same(got, want): assert got == want, (got, want)
		go = threading.Event()
		threads = [threading.Thread(target=go.wait, daemon=True) for _ in range(5)]
		for t in threads: t.start()
		try:
		    write("/a/cgroup.procs", "0")
		    assert False, "six threads are in"
		except OSError as e:
		    same(e.strerror, "No space left on device")
		same(read("/a/tasks"), "")
		same(read("/a/maxtasks.current"), "0\n")
		write("/a/maxtasks.max", "6\n")
		write("/a/cgroup.procs", "0")
		same(read("/a/maxtasks.current"), "6\n")
		r, w = os.pipe()
		if not os.fork():
		    os.close(w), os.read(r, 1), os._exit(0)
		same(read("/a/maxtasks.current"), "7\n")
		same(read("/a/maxtasks.events"), "refused 1\nexceeded 1\n")
		os.close(w), os.wait(), go.set()
		for t in threads: t.join()
		same(read("/a/maxtasks.current"), "1\n")
		write("/a/cgroup.clone_children", "1")
		os.mkdir(M + "/a/c")
		same(read("/a/c/maxtasks.max"), "6\n")
		write("/a/c/maxtasks.max", "max")
		same(read("/a/c/maxtasks.max"), "max\n")
		write("/tasks", "0")
		os.rmdir(M + "/a/c")
	E
	is "$(cat "$M/a/maxtasks.current")" 0
	rmdir "$M/a"
	ucg umount "$M"
	ucg mount -o maxtasks,noprefix src "$M"
	mkdir "$M/a"
	is "$(cat "$M/a/max")" max
}

@test "a name without a slash is a file here, not a library somewhere" {
	picky picky
	cd "$UCG_TMP"
	with picky.so
	cd /
	ucg mount -o picky src "$M"
	is "$(cat "$M/picky.states")" 1
}

@test "a create() that fails halfway fails the mkdir with its error, and leaves nothing behind" {
	example
	picky picky
	picky second '-DNAME="second"'
	with "$UCG_TMP/second.so" "$UCG_TMP/picky.so" "$UCG_TMP/maxtasks/maxtasks.so"
	ucg mount -o second,picky,maxtasks,debug src "$M"
	run mkdir "$M/bad"
	[[ $status -ne 0 && $output == *"Disk quota exceeded"* ]]
	is "$(ls -d "$M"/*/ 2>/dev/null)" ""
	is "$(stat -c %h "$M")" 2
	is "$(cat "$M/second.states" "$M/picky.states" | tr '\n' ' ')" "1 1 "
	mkdir "$M/good"
	run mkdir "$M/good/bad"
	[ "$status" -ne 0 ]
	is "$(cat "$M/second.states" "$M/picky.states" | tr '\n' ' ')" "2 2 "
	mkdir "$M/good/fine"
	rmdir "$M/good/fine" "$M/good"
	is "$(cat "$M/second.states" "$M/picky.states" | tr '\n' ' ')" "1 1 "
}

@test "what is no plug-in, or not one for this daemon, is refused in words" {
	picky abi -DABI=CGROUP_SUBSYS_ABI+1
	refused "abi.so was built for version 2 of the subsystem interface, this daemon has version 1" \
		with "$UCG_TMP/abi.so"
	picky size -DSIZE=8
	refused "size.so was built with a struct cgroup_subsys of 8 bytes" with "$UCG_TMP/size.so"
	picky none -DNO_PLUGIN
	refused "none.so is no ucgroup subsystem" with "$UCG_TMP/none.so"
	picky unresolved -DUNRESOLVED
	refused "there_is_no_such_function" with "$UCG_TMP/unresolved.so"
	picky name '-DNAME="Bad Name"'
	refused "its name is not 1 to 32 of a-z 0-9 _" with "$UCG_TMP/name.so"
	picky file '-DFILE_NAME="a/b"'
	refused "a file's name is empty, too long or has a slash" with "$UCG_TMP/file.so"
	picky taken '-DNAME="cpuset"'
	refused "cpuset' of $UCG_TMP/taken.so: a subsystem of this name is there already" \
		with "$UCG_TMP/taken.so"
	picky root -DFAIL_ON_ROOT
	refused "Disk quota exceeded" with "$UCG_TMP/root.so"
	echo "int main;" >"$UCG_TMP/text.so"
	refused "text.so: file too short" with "$UCG_TMP/text.so"
	head -c 10000 "$BATS_TEST_FILENAME" >"$UCG_TMP/text.so"
	refused "text.so: invalid ELF header" with "$UCG_TMP/text.so"
	refused "nothing.so: cannot open shared object file: No such file" with "$UCG_TMP/nothing.so"
	refused "$UCG_TMP" with "$UCG_TMP"
	# One that is good does not help one that is not.
	picky picky
	refused "size.so was built" with "$UCG_TMP/picky.so" "$UCG_TMP/size.so"
	refused "picky' of $UCG_TMP/picky.so: a subsystem of this name is there already" \
		with "$UCG_TMP/picky.so" "$UCG_TMP/picky.so"
	[ -z "$(ucg_daemon_pid)" ]
	with "$UCG_TMP/picky.so"
}
