# SPDX-License-Identifier: GPL-2.0-or-later
"""What the inline Python of tests/fs.bats shares."""
import ctypes
import errno
import os
import sys

_libc = ctypes.CDLL(None, use_errno=True)
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2


def result(fn, *args, **kw):
    """What FN returns, or the name of the errno it fails with."""
    try:
        return fn(*args, **kw)
    except OSError as e:
        return errno.errorcode[e.errno]


def expect(want, fn, *args, **kw):
    """FN's result (see there) must be WANT; None stands for success of whatever value."""
    got = result(fn, *args, **kw)
    failed = isinstance(got, str) and got in errno.errorcode.values()
    if failed if want is None else got != want:
        same(got, want, "%s%r" % (getattr(fn, "__name__", fn), args))
    return got


def same(got, want, what=""):
    if got != want:
        line = sys._getframe(1).f_lineno
        sys.exit("line %d: %s: got %r, expected %r" % (line, what, got, want))


def rename2(old, new, flags):
    if _libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags):
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


def read(path):
    with open(path, "rb", buffering=0) as f:
        return f.read()


def write(path, data, flags=os.O_WRONLY):
    fd = os.open(path, flags)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)


def pread_all(fd, step):
    """The whole file in pieces of STEP bytes."""
    out = b""
    while True:
        piece = os.pread(fd, step, len(out))
        if not piece:
            return out
        out += piece
