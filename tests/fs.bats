#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The mounted file system, as the programs people use see it.
#
# timeout: 300

load lib/common

setup() {
	ucg_setup || return 1
	chmod 755 "$UCG_TMP"
	M=$UCG_TMP/m
	N=$UCG_TMP/n
	mkdir "$M" "$N"
	export M N PYTHONPATH=$BATS_TEST_DIRNAME/fs PYTHONDONTWRITEBYTECODE=1
	ucg mount -o none,name=fs src "$M"
}

teardown() {
	local pid
	for pid in "${STRAYS[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
	ucg_teardown
}

STRAYS=()

# A process that does nothing; its pid in $STRAY.
stray() {
	sleep 1000 3>&- &
	STRAY=$!
	STRAYS+=("$STRAY")
}

# Python from standard input, with fsop.py's functions.
py() {
	{
		echo "from fsop import *; import os, stat; M, N = os.environ['M'], os.environ['N']"
		cat
	} >"$UCG_TMP/test.py"
	python3 "$UCG_TMP/test.py" "$@"
}

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

is() { # GOT EXPECTED
	[ "$1" = "$2" ] && return
	printf 'got:      %s\nexpected: %s\n' "$1" "$2"
	return 1
}

# ---- directories ----------------------------------------------------------------------------------

@test "a new directory: owner, mode less umask, link counts, stable inodes" {
	py <<-'E'
	os.umask(0o027)
	os.mkdir(M + "/a", 0o777)
	st = os.stat(M + "/a")
	same(stat.filemode(st.st_mode), "drwxr-x---")
	same((st.st_uid, st.st_gid, st.st_nlink, st.st_size), (0, 0, 2, 0))
	same(os.stat(M).st_nlink, 3)
	os.mkdir(M + "/a/b")
	same((os.stat(M).st_nlink, os.stat(M + "/a").st_nlink), (3, 3))
	ino = os.stat(M + "/a/b").st_ino, os.stat(M + "/a/b/tasks").st_ino
	os.rename(M + "/a/b", M + "/a/c")
	same((os.stat(M + "/a/c").st_ino, os.stat(M + "/a/c/tasks").st_ino), ino)
	os.rmdir(M + "/a/c")
	same(os.stat(M + "/a").st_nlink, 2)
	os.mkdir(M + "/a/c")
	same(os.stat(M + "/a/c").st_ino != ino[0], True, "an inode number used again")
	same(os.statvfs(M).f_namemax, 255)
	E
	chmod 777 "$M"
	as_nobody mkdir "$M/his"
	is "$(stat -c %u:%g "$M/his" "$M/his/tasks" | sort -u)" 65534:65534
	chgrp 4711 "$M/his"
	chmod 2775 "$M/his"
	as_nobody mkdir "$M/his/team"
	is "$(stat -c %A:%g "$M/his/team" "$M/his/team/tasks" | tr '\n' ' ')" "drwxr-sr-x:4711 -rw-r--r--:4711 "
}

@test "names: blanks, unicode, 255 bytes; not 256, not a newline" {
	py <<-'E'
	for name in "with blank", " ", "größe-жук-虫", "\\040", "-rf", "*", "x" * 255, "\xff\t":
	    os.mkdir(M + "/" + name)
	    same(name in os.listdir(M), True, name)
	    same(read(M + "/" + name + "/notify_on_release"), b"0\n")
	    os.rmdir(M + "/" + name)
	expect("ENAMETOOLONG", os.mkdir, M + "/" + "x" * 256)
	expect("EINVAL", os.mkdir, M + "/a\nb")
	expect("EEXIST", os.mkdir, M + "/tasks")
	E
}

@test "rename: within the parent only, and nothing is replaced" {
	py <<-'E'
	os.chdir(M)
	for d in "a", "a/c", "b":
	    os.mkdir(d)
	expect("EEXIST", os.rename, "a", "b")
	expect("EIO", os.rename, "a/c", "b/c")
	expect("ENOTDIR", os.rename, "tasks", "t")
	expect("ENOTDIR", os.rename, "tasks", "notify_on_release")
	expect("ENOTDIR", os.rename, "a", "tasks")
	expect("EINVAL", os.rename, "a", "t\nt")
	expect("ENAMETOOLONG", os.rename, "a", "t" * 256)
	expect("EEXIST", rename2, "a", "b", RENAME_NOREPLACE)
	expect("EINVAL", rename2, "a", "n", RENAME_NOREPLACE)
	expect("EINVAL", rename2, "a", "b", RENAME_EXCHANGE)
	expect("ENOENT", os.rename, "x", "y")
	expect(None, os.rename, "a", "a")
	expect(None, os.rename, "a", "z")
	same(sorted(d for d in os.listdir(".") if os.path.isdir(d)), ["b", "z"])
	same(os.listdir("z").count("c"), 1)
	E
}

@test "files are neither made nor removed; the root stays" {
	py <<-'E'
	os.chdir(M)
	os.mkdir("a")
	expect("EACCES", os.open, "new", os.O_CREAT | os.O_WRONLY)
	expect("EACCES", os.mknod, "new", 0o100644)
	expect("EPERM", os.mkfifo, "new")
	expect("EPERM", os.unlink, "tasks")
	expect("EPERM", os.link, "tasks", "new")
	expect("EPERM", os.symlink, "tasks", "new")
	expect("EISDIR", os.unlink, "a")
	expect("ENOTSUP", os.open, ".", os.O_TMPFILE | os.O_WRONLY)
	expect("ENOTDIR", os.rmdir, "tasks")
	expect("EBUSY", os.rmdir, M)
	expect("EISDIR", os.open, "a", os.O_RDWR)
	os.mkdir("a/b")
	expect("EBUSY", os.rmdir, "a")
	E
}

@test "a tree 50 levels deep" {
	py <<-'E'
	path = M
	for i in range(50):
	    path += "/level %d" % i
	    os.mkdir(path)
	write(path + "/tasks", b"0")
	same(read(path + "/tasks"), b"%d\n" % os.getpid())
	write(M + "/tasks", b"0")
	E
	is "$(find "$M" -type d | wc -l)" 51
	find "$M" -mindepth 1 -type d -delete
	is "$(find "$M" -type d | wc -l)" 1
}

# A hundred thousand take half a minute: SIBLINGS=100000 bats tests/fs.bats -f siblings
@test "thousands of siblings: made, listed, removed while listed" {
	local n=${SIBLINGS:-5000}
	py "$n" <<-'E'
	import sys
	for i in range(int(sys.argv[1])):
	    os.mkdir(M + "/d%d" % i)
	E
	is "$(ls "$M" | grep -c ^d)" "$n"
	is "$(ls -l "$M" | grep -c '^d')" "$n"
	is "$(stat -c %h "$M")" $((n + 2))
	find "$M" -mindepth 1 -type d -delete
	is "$(ls "$M" | grep -c ^d)" 0
}

@test "a listing neither skips nor repeats what stays, whatever comes and goes meanwhile" {
	py <<-'E'
	for i in range(2000):
	    os.mkdir(M + "/d%d" % i)
	seen = []
	with os.scandir(M) as it:
	    for i, e in enumerate(it):
	        seen.append(e.name)
	        if e.name.startswith("d") and int(e.name[1:]) % 2:
	            os.rmdir(M + "/" + e.name)
	        if i % 100 == 0:
	            os.mkdir(M + "/new%d" % i)
	old = [n for n in seen if n.startswith("d")]
	same(len(old), 2000)
	same(len(set(old)), 2000)
	same(len([n for n in os.listdir(M) if n.startswith("d")]), 1000)
	fd = os.open(M, os.O_RDONLY)
	same(sorted(os.listdir(fd)), sorted(os.listdir(fd)))
	os.mkdir(M + "/later")
	same("later" in os.listdir(fd), True, "seen after rewinddir")
	E
}

# ---- files ---------------------------------------------------------------------------------------

@test "redirection, truncation and globbing work as on any file system" {
	mkdir "$M/a" "$M/ab"
	stray
	echo "$STRAY" >"$M/a/tasks"
	is "$(cat "$M/a/tasks")" "$STRAY"
	echo "$STRAY" >>"$M/ab/tasks"
	is "$(cat "$M"/a*/tasks)" "$STRAY"
	: >"$M/ab/tasks"
	: >"$M/ab/releasable"
	truncate -s 100 "$M/ab/tasks"
	is "$(cat "$M/ab/tasks")" "$STRAY"
	is "$(stat -c %s "$M/ab/tasks")" 0
	is "$(cd "$M" && echo a*)" "a ab"
	test -w "$M/a/tasks"
	test -r "$M/a/releasable"
	as_nobody test ! -w "$M/a/tasks"
	as_nobody test -r "$M/a/tasks"
	run as_nobody sh -c "echo 1 >'$M/a/notify_on_release'"
	[[ $status -ne 0 && $output == *"Permission denied"* ]]
}

@test "a write arrives whole, however it is made, or not at all" {
	py <<-'E'
	os.mkdir(M + "/a")
	f = M + "/a/notify_on_release"
	fd = os.open(f, os.O_RDWR)
	same(os.writev(fd, [b" ", b"1", b"\n"]), 3)
	same(read(f), b"1\n")
	same(os.pwrite(fd, b"0", 1000), 1)
	same(read(f), b"0\n")
	same(os.write(fd, b" " * 4094 + b"1"), 4095)
	expect("E2BIG", os.write, fd, b" " * 4095 + b"0")
	expect("E2BIG", os.write, fd, b"0" + b" " * (3 << 20))
	expect("EINVAL", os.write, fd, b"0 0")
	same(os.write(fd, b""), 0)
	same(read(f), b"1\n")
	same(write(f, b"0", os.O_WRONLY | os.O_APPEND), 1)
	same(read(f), b"0\n")
	E
}

@test "reads of any size and at any offset give the same bytes" {
	for i in $(seq 40); do
		stray
	done
	mkdir "$M/a"
	for pid in "${STRAYS[@]}"; do
		echo "$pid" >"$M/a/tasks"
	done
	py "${STRAYS[@]}" <<-'E'
	import sys
	want = "".join("%d\n" % p for p in sorted(map(int, sys.argv[1:]))).encode()
	fd = os.open(M + "/a/tasks", os.O_RDONLY)
	for step in 1, 2, 3, 7, 4096, 1 << 20:
	    same(pread_all(fd, step), want, "in steps of %d" % step)
	same(os.pread(fd, 10, 17), want[17:27])
	same(os.pread(fd, 10, len(want)), b"")
	same(os.pread(fd, 10, 1 << 40), b"")
	bufs = [bytearray(1), bytearray(2), bytearray(100000)]
	n = os.preadv(fd, bufs, 0)
	same(b"".join(bufs)[:n], want)
	E
	is "$(dd if="$M/a/tasks" bs=1 2>/dev/null | md5sum)" "$(md5sum <"$M/a/tasks")"
	is "$(dd if="$M/a/tasks" bs=5 skip=3 2>/dev/null | md5sum)" "$(tail -c +16 "$M/a/tasks" | md5sum)"
}

@test "several readers and writers on one open file" {
	stray
	py "$STRAY" <<-'E'
	import sys, threading
	pid = sys.argv[1].encode()
	os.mkdir(M + "/a"), os.mkdir(M + "/b")
	fds = [os.open(M + d + "/tasks", os.O_RDWR) for d in ("/a", "/b")]
	bad = []
	def work(mine):
	    for i in range(200):
	        if os.write(fds[(i + mine) % 2], pid) != len(pid):
	            bad.append("write")
	        if os.pread(fds[(i + mine) % 2], 100, 0) not in (b"", pid + b"\n"):
	            bad.append("read")
	threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
	for t in threads: t.start()
	for t in threads: t.join()
	same(bad, [])
	same(sorted(read(M + d + "/tasks") for d in ("/a", "/b")), [b"", pid + b"\n"])
	E
}

@test "a file held open after its group was removed: ENODEV" {
	py <<-'E'
	os.mkdir(M + "/a")
	fd = os.open(M + "/a/tasks", os.O_RDWR)
	xd = os.open(M + "/a/notify_on_release", os.O_RDWR)
	os.read(xd, 1)
	os.rmdir(M + "/a")
	expect("ENODEV", os.read, fd, 10)
	expect("ENODEV", os.write, fd, b"0")
	expect("ENODEV", os.pread, xd, 10, 1)
	same(stat.S_ISREG(os.fstat(fd).st_mode), True)
	os.mkdir(M + "/a")
	expect("ENODEV", os.read, fd, 10)
	same(read(M + "/a/tasks"), b"")
	os.mkdir(M + "/b")
	d, f = os.open(M + "/b", os.O_RDONLY), os.open(M + "/b/tasks", os.O_RDONLY)
	os.rmdir(M + "/b")
	expect("ENOENT", os.open, "tasks", os.O_RDONLY, dir_fd=d)
	expect("ENODEV", os.read, f, 1)
	E
}

@test "a process in a directory that is removed can still leave it" {
	mkdir -p "$M/a/b"
	cd "$M/a/b"
	rmdir ../b
	is "$(ls)" ""
	is "$(stat -c %F .)" directory
	run mkdir x
	[[ $output == *"No such file"* ]]
	cat ../tasks
	cd -P ..
	is "$(pwd -P)" "$M/a"
	cd /
}

# ---- attributes ----------------------------------------------------------------------------------

@test "chmod, chown and utimes hold as long as the group" {
	mkdir "$M/a"
	chmod 711 "$M/a"
	chown 65534:65533 "$M/a" "$M/a/tasks"
	chmod 600 "$M/a/tasks"
	touch -d @12345 "$M/a/cgroup.procs"
	is "$(stat -c '%a %u %g' "$M/a" "$M/a/tasks" | tr '\n' ' ')" "711 65534 65533 600 65534 65533 "
	is "$(stat -c '%u %Y' "$M/a/cgroup.procs")" "0 12345"
	sleep 0.01
	before=$(stat -c %.9Z "$M/a")
	chmod 711 "$M/a"
	is "$([[ $(stat -c %.9Z "$M/a") > $before ]] && echo later)" later
	as_nobody mkdir "$M/a/his"
	run as_nobody chmod 777 "$M/a/cgroup.procs"
	[[ $status -ne 0 && $output == *"not permitted"* ]]
	rmdir "$M/a/his" "$M/a"
	mkdir "$M/a"
	is "$(stat -c '%a %u' "$M/a" "$M/a/tasks" | tr '\n' ' ')" "755 0 644 0 "
}

@test "user.* and trusted.* attributes on directories and files; no others" {
	py <<-'E'
	os.mkdir(M + "/a")
	for f in M, M + "/a", M + "/a/tasks":
	    os.setxattr(f, "user.x", b"\0binary\xff")
	    os.setxattr(f, "trusted.y", b"")
	    same(os.getxattr(f, "user.x"), b"\0binary\xff")
	    same(os.getxattr(f, "trusted.y"), b"")
	    same(sorted(os.listxattr(f)), ["trusted.y", "user.x"])
	    expect("EEXIST", os.setxattr, f, "user.x", b"", os.XATTR_CREATE)
	    expect("ENODATA", os.setxattr, f, "user.n", b"", os.XATTR_REPLACE)
	    expect("ENODATA", os.getxattr, f, "user.n")
	    expect("ENODATA", os.removexattr, f, "user.n")
	    expect("EINVAL", os.setxattr, f, "user.", b"1")
	    os.setxattr(f, "security.x", b"1")
	    same(os.getxattr(f, "security.x"), b"1")
	    os.removexattr(f, "security.x")
	    expect("ENOTSUP", os.setxattr, f, "other.x", b"1")
	    expect("ENOTSUP", os.getxattr, f, "system.posix_acl_access")
	    expect("ENODATA", os.getxattr, f, "security.capability")
	    os.removexattr(f, "trusted.y")
	    same(os.listxattr(f), ["user.x"])
	os.setxattr(M + "/a/tasks", "user.big", b"x" * 60000)
	same(len(os.getxattr(M + "/a/tasks", "user.big")), 60000)
	os.setxattr(M + "/a", "trusted.z", b"")
	os.rmdir(M + "/a"), os.mkdir(M + "/a")
	same(os.listxattr(M + "/a"), [])
	os.setxattr(M + "/a", "trusted.z", b""), os.setxattr(M + "/a", "user.z", b"")
	os.setgroups([]), os.setgid(65534), os.setuid(65534)
	same(os.listxattr(M + "/a"), ["user.z"])
	E
}

# ---- programs ------------------------------------------------------------------------------------

@test "cp, tar, find, ls -lR, du and grep -r" {
	mkdir -p "$M/a/b" "$UCG_TMP/copy"
	stray
	echo "$STRAY" >"$M/a/b/tasks"
	cp "$M/a/b/tasks" "$UCG_TMP/copy/"
	is "$(cat "$UCG_TMP/copy/tasks")" "$STRAY"
	cp -r "$M/a" "$UCG_TMP/copy/"
	is "$(cat "$UCG_TMP/copy/a/b/cgroup.procs")" "$STRAY"
	cp "$UCG_TMP/copy/tasks" "$M/a/tasks"
	is "$(cat "$M/a/tasks")" "$STRAY"
	tar -C "$M" -cf "$UCG_TMP/t.tar" .
	is "$(tar -tf "$UCG_TMP/t.tar" | grep -c '/a/b/')" "$(find "$M/a/b" | wc -l)"
	is "$(ls -lR "$M" | grep -c 'tasks$')" 3
	is "$(find "$M" -name tasks -size 0 | wc -l)" 3
	is "$(find "$M" -type d | wc -l)" 3
	is "$(du -s "$M" | cut -f1)" 0
	is "$(grep -rl "^$STRAY$" "$M" --include=tasks)" "$M/a/tasks"
}

@test "inotifywait sees groups made, written to and removed" {
	command -v inotifywait >/dev/null || skip "no inotifywait: install inotify-tools"
	mkdir "$M/a"
	# While it walks the tree to watch it nothing may go away there: that is an error to it.
	inotifywait -m -r --format '%e %w%f' "$M" >"$UCG_TMP/events" 2>"$UCG_TMP/said" 3>&- &
	STRAYS+=($!)
	ucg_await 10 grep -q "Watches established" "$UCG_TMP/said" || { cat "$UCG_TMP/said"; return 1; }
	mkdir "$M/a/b"
	echo 1 >"$M/a/notify_on_release"
	rmdir "$M/a/b"
	ucg_await 5 grep -q "DELETE,ISDIR $M/a/b" "$UCG_TMP/events" || { cat "$UCG_TMP"/{said,events}; return 1; }
	grep -q "CREATE,ISDIR $M/a/b" "$UCG_TMP/events"
	grep -q "MODIFY $M/a/notify_on_release" "$UCG_TMP/events"
}

@test "shells and small tools read and write the files in their own ways" {
	local pid pids=() lines
	mkdir "$M/a" "$M/b" "$M/c d"
	for i in $(seq 12); do
		stray
	done
	# One write of several numbers is one too many ...
	run sh -c 'printf "%s\n" "$@" >"$0"' "$M/a/tasks" "${STRAYS[@]}"
	[ "$status" -ne 0 ]
	is "$(cat "$M/a/tasks")" ""
	# ... and a write for each is fine.
	printf '%s\n' "${STRAYS[@]}" | while read -r pid; do echo "$pid" >"$M/a/tasks"; done
	# bash reads ahead and seeks back.
	while read -r pid; do
		pids+=("$pid")
		echo "$pid" | tee "$M/b/tasks" >/dev/null
	done <"$M/a/tasks"
	is "${pids[*]}" "$(printf '%s\n' "${STRAYS[@]}" | sort -n | tr '\n' ' ' | sed 's/ $//')"
	is "$(cat "$M/a/tasks" "$M/b/tasks" | wc -l)" 12
	mapfile -t lines <"$M/b/tasks"
	is "${lines[*]}" "${pids[*]}"
	is "$(xargs -n 1 echo <"$M/b/tasks" | tr '\n' ' ')" "${pids[*]} "
	is "$(tail -n 2 "$M/b/tasks" | head -n 1)" "${pids[10]}"
	is "$(head -c 3 "$M/b/tasks")" "$(printf '%s' "${pids[0]}" | head -c 3)"
	is "$(sed -n '$p' "$M/b/tasks")" "${pids[11]}"
	is "$(awk 'END { print NR }' "$M"/[ab]/tasks "$M"/c*/tasks)" 12
	is "$(sort -rn "$M/b/tasks" | head -n 1)" "${pids[11]}"
	for pid in $(cat "$M/b/tasks"); do
		dd if=<(echo "$pid") of="$M/c d/cgroup.procs" conv=notrunc 2>/dev/null
	done
	is "$(cat "$M"/c*/cgroup.procs | tr '\n' ' ')" "${pids[*]} "
	(me=$BASHPID && echo "$me" >"$M/a/tasks" && is "$(cat "$M/a/tasks" | grep -cx "$me")" 1)
	is "$(sh -c 'echo 0 >"$1"; cat "$1" | head -n 1' - "$M/a/tasks" | wc -l)" 1
	exec 7>"$M/a/notify_on_release"
	echo 1 >&7
	echo 0 >&7
	echo 1 >&7
	exec 7>&-
	is "$(<"$M/a/notify_on_release")" 1
}

@test "system calls that copy, wait or lock do what a file system's should" {
	stray
	mkdir "$M/a"
	echo "$STRAY" >"$M/a/tasks"
	py "$STRAY" <<-'E'
	import fcntl, select, sys
	want = sys.argv[1].encode() + b"\n"
	f = M + "/a/tasks"
	fd = os.open(f, os.O_RDWR)
	out = os.open(os.environ["UCG_TMP"] + "/out", os.O_RDWR | os.O_CREAT, 0o600)
	same(os.sendfile(out, fd, 0, 100), len(want))
	r, w = os.pipe()
	same(os.splice(fd, w, 100, offset_src=0), len(want))
	same((os.pread(out, 100, 0), os.read(r, 100)), (want, want))
	p = select.poll()
	p.register(fd, select.POLLIN | select.POLLOUT)
	same(p.poll(0)[0][1] & (select.POLLERR | select.POLLHUP | select.POLLNVAL), 0)
	same(select.select([fd], [fd], [], 0), ([fd], [fd], []))
	same(os.lseek(fd, 0, os.SEEK_END), 0)
	expect("EINVAL", os.lseek, fd, -1, os.SEEK_SET)
	os.fsync(fd)
	fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
	other = os.open(f, os.O_RDONLY)
	expect("EAGAIN", fcntl.flock, other, fcntl.LOCK_SH | fcntl.LOCK_NB)
	expect("ENOTTY", fcntl.ioctl, fd, 0x5401, b" " * 64)
	expect("EINVAL", os.open, f, os.O_RDONLY | os.O_DIRECT)
	expect("ENOTDIR", os.open, f, os.O_RDONLY | os.O_DIRECTORY)
	expect("EBADF", os.write, other, b"0")
	same(os.dup(fd) >= 0, True)
	E
}

# ---- delegation ----------------------------------------------------------------------------------

@test "a delegated group: its user makes groups and moves his own tasks there, and no others" {
	local his mine
	mkdir -p "$M/u" "$M/other"
	chown nobody: "$M/u" "$M/u/tasks" "$M/u/cgroup.procs"
	setpriv --reuid=65534 --clear-groups sleep 1000 3>&- &
	his=$!
	STRAYS+=("$his")
	stray
	mine=$STRAY
	ucg_await 5 sh -c "grep -q '^Uid:.65534' /proc/$his/status"
	py "$his" "$mine" <<-'E'
	import sys
	his, mine = (a.encode() for a in sys.argv[1:])
	os.setgroups([]), os.setgid(65534), os.setuid(65534)
	os.makedirs(M + "/u/a/b"), os.mkdir(M + "/u/c")
	st = os.stat(M + "/u/a/b/tasks")
	same((st.st_uid, st.st_gid), (65534, 65534))
	for d in "/u", "/u/a", "/u/a/b", "/u/c":
	    write(M + d + "/tasks", his)
	    same(read(M + d + "/tasks"), his + b"\n")
	    write(M + d + "/cgroup.procs", b"0")
	    same(read(M + d + "/cgroup.procs"), b"".join(b"%d\n" % n for n in sorted([int(his), os.getpid()])))
	    write(M + d + "/tasks", his)
	    expect("EACCES", write, M + d + "/tasks", mine)
	    expect("EACCES", write, M + d + "/cgroup.procs", mine)
	write(M + "/u/a/notify_on_release", b"1")
	os.chmod(M + "/u/a", 0o700), os.rename(M + "/u/c", M + "/u/d")
	# outside what is his: nothing
	expect("EACCES", os.mkdir, M + "/x")
	expect("EACCES", os.mkdir, M + "/other/x")
	expect("EACCES", os.rename, M + "/u", M + "/v")
	expect("EACCES", os.rmdir, M + "/other")
	for d in "", "/other":
	    expect("EACCES", write, M + d + "/tasks", his)
	    expect("EACCES", write, M + d + "/cgroup.procs", b"0")
	    expect("EACCES", write, M + d + "/notify_on_release", b"1")
	expect("EACCES", write, M + "/release_agent", b"/bin/true")
	expect("EPERM", os.chown, M + "/u/a", 0, -1)
	expect("EPERM", os.chown, M + "/u/a", -1, 0)
	expect("EPERM", os.chmod, M + "/other", 0o777)
	# what was not given to him of his own group
	expect("EACCES", write, M + "/u/notify_on_release", b"1")
	expect("EACCES", os.rmdir, M + "/u")
	expect("EBUSY", os.rmdir, M + "/u/a")
	os.rmdir(M + "/u/a/b")
	E
	# The process that ended has left; root may put one of his own there, and the user not take it out.
	is "$(cat "$M/u/d/tasks")" "$his"
	echo "$mine" >"$M/u/a/tasks"
	run as_nobody sh -c "echo $mine >'$M/u/d/tasks'"
	[ "$status" -ne 0 ]
	is "$(cat "$M/u/a/tasks")" "$mine"
	# A user who is another one sees, but changes nothing.
	run setpriv --reuid=65533 --regid=65533 --clear-groups sh -c "cat '$M/u/tasks' && mkdir '$M/u/y'"
	[[ $status -ne 0 && $output == *"ermission denied"* ]]
	run setpriv --reuid=65533 --regid=65533 --clear-groups cat "$M/u/a/tasks"
	[ "$status" -ne 0 ]
}

# ---- several hierarchies -------------------------------------------------------------------------

@test "64 hierarchies at once, a process in a group of each, and the 65th's error" {
	local i
	for i in $(seq 63); do
		mkdir "$UCG_TMP/h$i"
		ucg mount -o "none,name=h$i" src "$UCG_TMP/h$i"
	done
	run ucg mount -o none,name=h64 src "$N"
	[[ $status = 1 && $output == *"64"* ]]
	ucg mount -o none,name=h7 src "$N"
	is "$(ucg hierarchies | grep -cw 'h[0-9]*')" 63
	mkdir "$M/g" "$UCG_TMP"/h{1..63}/g
	py <<-'E'
	T = os.environ["UCG_TMP"]
	dirs = [M] + ["%s/h%d" % (T, i) for i in range(1, 64)]
	for i, d in enumerate(dirs):
	    if i % 2: write(d + "/g/tasks", b"0")
	r, w = os.pipe()
	pid = os.fork()
	if not pid:
	    os.close(w), os.read(r, 1), os._exit(0)
	for i, d in enumerate(dirs):
	    want = [os.getpid(), pid] if i % 2 else []
	    same(read(d + "/g/tasks"), b"".join(b"%d\n" % n for n in sorted(want)), d)
	write(dirs[1] + "/tasks", b"%d" % pid)
	same(read(dirs[1] + "/g/tasks"), b"%d\n" % os.getpid())
	same(b"\n%d\n" % pid in b"\n" + read(dirs[3] + "/g/tasks"), True)
	os.close(w), os.waitpid(pid, 0)
	same(read(dirs[3] + "/g/tasks"), b"%d\n" % os.getpid())
	E
	umount "$UCG_TMP/h5"
	run ucg mount -o none,name=h64 src "$UCG_TMP/h5" # with a group, h5 goes on
	[ "$status" = 1 ]
	ucg mount -o none,name=h5 src "$UCG_TMP/h5"
	rmdir "$UCG_TMP/h5/g"
	umount "$UCG_TMP/h5"
	ucg mount -o none,name=h64 src "$UCG_TMP/h5"
}

@test "after a remount the files of the new subsystems are there, and the others' are not" {
	local two="$UCG_TMP/two"
	mkdir "$two"
	ucg mount -o debug,name=r src "$N"
	ucg mount -o debug,name=r again "$two"
	ls -l "$N" "$two" >/dev/null
	test -e "$two/debug.taskcount"
	exec 7<"$two/debug.taskcount"
	ucg remount -o cpuacct,name=r "$N"
	for d in "$N" "$two"; do
		is "$(cd "$d" && echo debug.* cpuacct.us*e)" "debug.* cpuacct.usage"
		test ! -e "$d/debug.taskcount"
		grep -q '^[0-9]' "$d/cpuacct.usage"
	done
	run cat <&7
	[[ $status -ne 0 && $output == *"No such device"* ]]
	exec 7<&-
	mkdir "$two/g"
	run ucg remount -o debug,name=r "$N"
	[ "$status" = 1 ]
	[[ $output == *"usy"* ]]
	test -e "$N/g/cpuacct.usage"
	rmdir "$N/g"
	ucg remount -o cpuacct,debug,name=r "$two"
	is "$(cd "$N" && echo debug.t* cpuacct.us*e)" "debug.taskcount cpuacct.usage"
	run ucg remount -o debug,name=other "$N"
	[ "$status" = 1 ]
	run ucg remount -o debug,noprefix,name=r "$N"
	[ "$status" = 1 ]
	test -e "$two/debug.taskcount"
}

# ---- several mounts ------------------------------------------------------------------------------

@test "two mounts of one hierarchy show the same at the same moment" {
	ucg mount -o none,name=fs again "$N"
	py <<-'E'
	def gone(p): return result(os.stat, p) == "ENOENT"
	same(gone(N + "/x"), True)
	os.mkdir(M + "/x")
	same(gone(N + "/x"), False)
	same(os.stat(N).st_nlink, 3)
	fd = os.open(N, os.O_RDONLY)
	os.mkdir(M + "/y")
	same((os.fstat(fd).st_nlink, "y" in os.listdir(fd)), (4, True))
	os.rmdir(N + "/y")
	same(gone(M + "/y"), True)
	os.stat(N + "/x/tasks"), os.chmod(M + "/x/tasks", 0o600)
	same(os.stat(N + "/x/tasks").st_mode & 0o777, 0o600)
	os.chown(M + "/x", 7, 8)
	same(os.stat(N + "/x").st_uid, 7)
	os.listdir(N + "/x"), os.rename(M + "/x", M + "/z")
	same((gone(N + "/x"), gone(N + "/z")), (True, False))
	same(os.stat(N + "/z").st_ino, os.stat(M + "/z").st_ino)
	os.setxattr(N + "/z", "user.a", b"1")
	same(os.getxattr(M + "/z", "user.a"), b"1")
	held = os.open(N + "/z/tasks", os.O_RDWR)
	os.rmdir(M + "/z")
	same(gone(N + "/z/tasks"), True)
	expect("ENODEV", os.read, held, 1)
	E
}

@test "two mounts agree while others look on" {
	ucg mount -o none,name=fs again "$N"
	python3 "$BATS_TEST_DIRNAME/fs/coherence.py" "$M" "$N" 400
	python3 "$BATS_TEST_DIRNAME/fs/coherence.py" "$N" "$M" 200
}

@test "a working directory outlives changes made on another mount" {
	ucg mount -o none,name=fs again "$N"
	mkdir -p "$M/a/b"
	py <<-'E'
	os.chdir(N + "/a/b")
	for i in range(300):
	    os.mkdir(M + "/q"), os.rmdir(M + "/q")
	    os.mkdir(M + "/a/q"), os.rename(M + "/a/q", M + "/a/r"), os.rmdir(M + "/a/r")
	    if i % 3 == 0: os.stat(N + "/a/b")
	    if i % 7 == 0: os.stat(N + "/a")
	    same(os.getcwd(), N + "/a/b")
	same(write("notify_on_release", b"1"), 1)
	same(read(M + "/a/b/notify_on_release"), b"1\n")
	os.mkdir("sub")
	same(os.path.isdir(M + "/a/b/sub"), True)
	os.rmdir(M + "/a/b/sub")
	os.rename(M + "/a/b", M + "/a/c")
	os.stat(N + "/a/c")
	same(os.getcwd(), N + "/a/c")
	os.rmdir(M + "/a/c")
	same(os.listdir("."), [])
	expect("ENOENT", os.mkdir, "x")
	os.chdir("..")
	same(os.getcwd(), N + "/a")
	E
}

@test "a group the daemon removes is gone on every mount" {
	ucg mount -o none,name=fs again "$N"
	echo builtin:rmdir >"$M/release_agent"
	for i in 1 2 3 4 5; do
		mkdir "$M/a"
		echo 1 >"$N/a/notify_on_release"
		ls -l "$M/a" "$N/a" >/dev/null
		stray
		echo "$STRAY" >"$M/a/tasks"
		kill -KILL "$STRAY"
		ucg_await 5 test ! -e "$M/a"
		is "$(ls -d "$N/a" 2>&1 | grep -c 'No such')" 1
		is "$(stat -c %h "$M" "$N" | tr '\n' ' ')" "2 2 "
	done
}

@test "an unmounted hierarchy is gone at once; a held one when it is let go" {
	umount "$M"
	is "$(ucg hierarchies | grep -c fs)" 0
	ucg mount -o none,name=fs src "$M"
	exec 9<"$M/tasks"
	umount -l "$M"
	is "$(ucg hierarchies | grep -c fs)" 1
	read -r _ <&9
	exec 9<&-
	is "$(ucg hierarchies | grep -c fs)" 0
}

@test "generic mount options" {
	umount "$M"
	ucg mount -o ro,nosuid,nodev,noexec,noatime,none,name=fs src "$M"
	is "$(findmnt -n -o VFS-OPTIONS "$M")" ro,nosuid,nodev,noexec,noatime
	py <<-'E'
	expect("EROFS", os.mkdir, M + "/a")
	expect("EROFS", write, M + "/notify_on_release", b"1")
	E
	ucg mount -o rw,none,name=fs src "$N"
	mkdir "$N/a"
	test -d "$M/a"
	run ucg mount -o rw,,none,name=x src "$M"
	[ "$status" = 1 ]
}

# ---- other pid namespaces ------------------------------------------------------------------------

# Python like py(), as the init of a new pid namespace.
py_inside() {
	{
		echo "from fsop import *; import os, stat; M, N = os.environ['M'], os.environ['N']"
		cat
	} >"$UCG_TMP/inside.py"
	timeout 60 unshare --pid --fork --mount-proc python3 "$UCG_TMP/inside.py" "$@"
}

@test "a reader and writer in another pid namespace has that namespace's numbers" {
	mkdir "$M/a" "$M/b"
	stray
	echo "$STRAY" >"$M/a/tasks"
	py_inside "$STRAY" <<-'E'
	import subprocess, sys, threading
	outside = sys.argv[1].encode()
	def files(d): return read(M + d + "/tasks"), read(M + d + "/cgroup.procs")
	same(files("/a"), (b"", b""), "only an outsider")
	for f in "/tasks", "/cgroup.procs":
	    expect("ESRCH", write, M + "/b" + f, outside)
	    expect("ESRCH", write, M + "/b" + f, b"4194303")
	    expect("EINVAL", write, M + "/b" + f, b"-1")
	same(write(M + "/a/tasks", b"0"), 1)
	same(files("/a"), (b"1\n", b"1\n"))
	p = subprocess.Popen(["sleep", "1000"])
	same(files("/a"), (b"1\n%d\n" % p.pid,) * 2, "born here")
	same(write(M + "/b/tasks", b"%d" % p.pid) > 0, True)
	same((files("/a")[0], files("/b")[0]), (b"1\n", b"%d\n" % p.pid))
	tids, go = [], threading.Event()
	def thread():
	    tids.append(threading.get_native_id()), go.wait()
	t = threading.Thread(target=thread)
	t.start()
	while not tids: pass
	same(write(M + "/b/tasks", b"%d" % tids[0]) > 0, True)
	same(files("/b"), (b"".join(b"%d\n" % n for n in sorted([p.pid, tids[0]])), b"1\n%d\n" % p.pid))
	write(M + "/a/cgroup.procs", b"0")
	same(files("/a"), (b"1\n%d\n" % tids[0], b"1\n"))
	same(b"\n1\n" in b"\n" + read(M + "/tasks"), False, "the root has not us")
	go.set(), t.join()
	write(M + "/tasks", b"0")
	same(read(M + "/tasks"), b"1\n", "and now nobody else")
	p.kill(), os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
	same(read(M + "/b/tasks"), b"", "a zombie")
	expect("ESRCH", write, M + "/b/tasks", b"%d" % p.pid)
	p.wait()
	E
	is "$(cat "$M/a/tasks")" "$STRAY"
}

@test "one task has a number in each pid namespace above it, and no namespace beside it" {
	mkdir "$M/a"
	py_inside <<-'E'
	import subprocess
	def inner(code):
	    code = "import sys; from fsop import *; M = '%s'\n" % M + code
	    return subprocess.Popen(["unshare", "--pid", "--fork", "python3", "-c", code],
	                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
	one = inner("write(M + '/a/tasks', b'0'); print(read(M + '/a/tasks')); sys.stdout.flush()\n"
	            "sys.stdin.read()")
	same(one.stdout.readline(), b"b'1\\n'\n")
	mine = int(read(M + "/a/tasks"))
	same(open("/proc/%d/status" % mine).read().count("NSpid:"), 1)
	other = inner("print(read(M + '/a/tasks'), result(write, M + '/a/tasks', b'%d'))" % mine)
	same(other.communicate()[0], b"b'' ESRCH\n", "beside it")
	same(write(M + "/tasks", b"%d" % mine) > 0, True)
	same(read(M + "/a/tasks"), b"")
	one.communicate()
	E
}

@test "a file opened in one pid namespace and read and written in another" {
	mkdir "$M/a"
	stray
	echo "$STRAY" >"$M/a/tasks"
	exec 8<>"$M/a/tasks"
	py_inside "$STRAY" <<-'E'
	import sys
	outside = sys.argv[1].encode()
	expect("ESRCH", os.write, 8, outside)
	same(os.pread(8, 100, 0), b"")
	os.write(8, b"0")
	same(os.pread(8, 100, 0), b"", "still the picture of before")
	same(read(M + "/a/tasks"), b"1\n")
	E
	py "$STRAY" <<-'E'
	import sys
	same(os.pread(8, 100, 0).startswith(sys.argv[1].encode() + b"\n"), True)
	E
	exec 8<&-
}

@test "lists of thousands of tasks in another pid namespace" {
	mkdir "$M/a"
	py_inside <<-'E'
	import signal
	write(M + "/a/tasks", b"0")
	r, w = os.pipe()
	def children(n):
	    pids = []
	    for i in range(n):
	        pid = os.fork()
	        if not pid:
	            os.close(w), os.read(r, 1), os._exit(0)
	        pids.append(pid)
	    return pids
	pids = children(300)
	want = b"".join(b"%d\n" % n for n in [1] + pids)
	same(read(M + "/a/tasks"), want)
	same(read(M + "/a/cgroup.procs"), want)
	os.close(w)
	for n in pids: os.waitpid(n, 0)
	same(read(M + "/a/tasks"), b"1\n")
	E
}

@test "a group that is never empty is never read as empty, in another pid namespace" {
	mkdir "$M/a"
	py_inside <<-'E'
	import signal
	signal.signal(signal.SIGCHLD, signal.SIG_IGN)
	# Each makes the next one, and ends: there is always one.
	if not os.fork():
	    write(M + "/a/tasks", b"0")
	    while True:
	        if os.fork():
	            os._exit(0)
	while not read(M + "/a/tasks"): pass
	seen, rounds = set(), 0
	while rounds < 300 or len(seen) < 20:
	    got = read(M + "/a/tasks")
	    same(got != b"", True, "round %d" % rounds)
	    seen.add(got)
	    rounds += 1
	E
}

@test "in another pid namespace the command's numbers are the caller's too" {
	mkdir "$M/a"
	stray
	echo "$STRAY" >"$M/a/tasks"
	run timeout 20 unshare --pid --fork --mount-proc sh -c '
		ucgroup attach "$M/a" 1 && ucgroup ps "$M/a"
		ucgroup attach "$M/a" '"$STRAY"' 2>/dev/null && echo MOVED
		:'
	printf '%s\n' "$output"
	is "$(printf '%s\n' "$output" | grep -cx MOVED)" 0
	is "$(printf '%s\n' "$output" | awk '$1 == 1' | wc -l)" 1
	is "$(printf '%s\n' "$output" | awk -v p="$STRAY" '$1 == p' | wc -l)" 0
}

@test "a daemon in a container says that it must not be there" {
	run timeout 20 unshare --pid --fork --mount-proc ucgroupd --instance "$UCG_INSTANCE-in" --foreground
	[ "$status" = 1 ]
	[[ $output == *"initial pid namespace"*"--pid=host"* ]]
}

@test "noprefix: files that could not be told apart keep their prefix" {
	ucg mount -o debug,noprefix src "$N"
	mkdir "$N/a"
	is "$(ls "$N/a" | sort | uniq -d)" ""
	is "$(cd "$N/a" && echo rel* deb* task*)" "releasable debug.releasable taskcount tasks"
	echo $$ >"$N/a/tasks"
	echo $$ >"$N/tasks"
	is "$(cat "$N/a/releasable" "$N/a/debug.releasable" "$N/a/taskcount" | tr '\n' ' ')" "1 1 0 "
}

# ---- the view of /proc ---------------------------------------------------------------------------

@test "the view of /proc" {
	ucg mount -t proc "$N"
	mkdir -p "$M/a b/c" "$UCG_TMP/two two"
	ucg mount -o none,name=two,nosuid "other source" "$UCG_TMP/two two"
	stray
	echo "$STRAY" >"$M/a b/c/tasks"
	is "$(cat "$N/$STRAY/cgroup" | cut -d: -f2-)" $'name=two:/\nname=fs:/a b/c'
	is "$(cat "$N/self/cgroup" | cut -d: -f2-)" $'name=two:/\nname=fs:/'
	is "$(sh -c 'echo $$; exec readlink "$1"' - "$N/self" | uniq | wc -l)" 1
	is "$(head -1 "$N/cgroups")" $'#subsys_name\thierarchy\tnum_cgroups\tenabled'
	is "$(grep -c two "$N/mounts")" 1
	grep -q '^src '"$M"' cgroup rw,noexec,relatime,.*name=fs.* 0 0$' "$N/mounts"
	grep -q '^other\\040source .*/two\\040two cgroup rw,nosuid,noexec,relatime,.*name=two.* 0 0$' "$N/mounts"
	is "$(grep -c '^hierarchy ' "$N/debug")" 2
	grep -q '^css_set [0-9]*: tasks 1 references' "$N/debug"
	test -d "$N/$STRAY"
	test ! -e "$N/0$STRAY"
	is "$(ls "$N" | grep -cx "$STRAY")" 1
	is "$(ls "$N/$STRAY" | tr '\n' ' ')" "cgroup cpuset "
	is "$(dd if="$N/$STRAY/cgroup" bs=1 2>/dev/null)" "$(cat "$N/$STRAY/cgroup")"
	run mkdir "$N/x"
	[[ $output == *"Read-only"* ]]
	# Like a /proc mounted outside: with the outside's numbers, wherever the reader is.
	is "$(unshare --pid --fork sh -c 'echo 0 >"$1"; cat "$2"' - "$M/a b/tasks" "$N/self/cgroup" |
		cut -d: -f2-)" $'name=two:/\nname=fs:/a b'
}

@test "a task that is gone: ENOENT at lookup, ESRCH on an open file" {
	ucg mount -t proc "$N"
	py <<-'E'
	import subprocess
	p = subprocess.Popen(["sleep", "1000"])
	d = N + "/%d" % p.pid
	fd = os.open(d + "/cgroup", os.O_RDONLY)
	same(os.read(fd, 1000).endswith(b":name=fs:/\n"), True)
	p.kill()
	os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
	same(os.pread(fd, 1000, 0).endswith(b":name=fs:/\n"), True, "a zombie")
	p.wait()
	expect("ESRCH", os.pread, fd, 1000, 0)
	expect("ESRCH", os.pread, fd, 1000, 3)
	expect("ENOENT", os.stat, d)
	expect("ENOENT", os.open, d + "/cgroup", os.O_RDONLY)
	E
}
