# SPDX-License-Identifier: GPL-2.0-or-later
"""
Two mounts A and B of one hierarchy: while others look up and list everything on B, whatever is done
on A must be so on B at once.

usage: coherence.py A B ROUNDS
"""
import os
import sys
import threading
import time

from fsop import result, same

A, B, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
stop = False


def look_around():
    while not stop:
        for name in result(os.listdir, B):
            result(os.stat, "%s/%s/tasks" % (B, name))
            result(os.stat, "%s/%s" % (B, name))


def facts(path):
    st = os.stat(path)
    return st.st_ino, st.st_mode, st.st_nlink, st.st_uid


def agree(a, b, what):
    """
    The kernel's FUSE writes an answer into an inode field by field, and a stat of what it has takes
    no lock: one that comes while a looker's answer is written sees half of it, for as long as its
    writer is off the CPU. What is cached wrongly stays so: hence the other looks.
    """
    for i in range(100):
        if facts(b) == facts(a):
            return
        time.sleep(i / 1000)
    same(facts(b), facts(a), what)


def one_round(i):
    name = "q%d" % (i % 3)
    a, b = A + "/" + name, B + "/" + name
    os.mkdir(a)
    os.chmod(a, 0o700 + i % 8)
    agree(a, b, "made and chmodded")
    os.chown(a, 5, 6)
    os.mkdir(a + "/k")
    agree(a, b, "with a child")
    os.stat(b + "/k")
    os.rename(a + "/k", a + "/kk")
    same(result(os.stat, b + "/k"), "ENOENT", "old name")
    os.rmdir(a + "/kk")
    agree(a, b, "without the child")
    same(facts(a)[2], 2, "link count")
    os.rmdir(a)
    same(result(os.stat, b), "ENOENT", "removed")


lookers = [threading.Thread(target=look_around) for _ in range(3)]
for t in lookers:
    t.start()
try:
    for i in range(rounds):
        one_round(i)
finally:
    stop = True
    for t in lookers:
        t.join()
same(facts(A)[1:], facts(B)[1:], "the roots in the end")
same(sorted(os.listdir(A)), sorted(os.listdir(B)), "listings in the end")
