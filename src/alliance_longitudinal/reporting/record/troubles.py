"""What the operating system refuses, as sentences with a way out."""

import errno
import re

_NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_HANDLES = {errno.EMFILE, errno.ENFILE}
_NUMBERED = re.compile(r"\[Errno (\d+)\]")


def trouble(number: int | None) -> str | None:
    """A sentence for the error ``number`` of the system; None if there is nothing better than the system's words.

    Examples
    --------
    >>> import errno
    >>> trouble(errno.ENOSPC)
    'The disk is full. Free some space, then repeat the command.'
    """
    if number in _NO_SPACE:
        return "The disk is full. Free some space, then repeat the command."
    if number in _HANDLES:
        return (
            "Too many files are open at a time on this machine. Make fewer reports at a time (--jobs 1), or allow "
            "more open files (ulimit -n 1024)."
        )
    if number == errno.ENAMETOOLONG:
        return "The path is too long for this file system. Choose a shorter name, or a folder higher up."
    if number in (errno.EEXIST, errno.ENOTDIR):
        return "A file has the name that a folder needs. Choose another folder."
    if number == errno.EROFS:
        return "The disk is read-only. Choose another folder."
    if number in (errno.EACCES, errno.EPERM):
        return (
            "You have no permission to write there. Choose another folder, or ask its owner for permission."
        )
    if number == errno.ENOMEM:
        return (
            "The machine has too little free memory. Close other programs, or make fewer reports at a time."
        )
    return None


def words_of(error: OSError) -> str:
    """Sentence for ``error``, without a path, which may hold a name."""
    return trouble(error.errno) or f"The operating system refused: {error.strerror or type(error).__name__}."


def trouble_in(text: str) -> str | None:
    """Sentence for the error that ``text``, an OSError's own words, gives the number of."""
    found = _NUMBERED.search(text)
    return trouble(int(found[1])) if found else None
