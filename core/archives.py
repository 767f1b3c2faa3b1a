"""Entries of a zip file from a stranger, counted before Python lists them."""

from __future__ import annotations

import struct

_END, _END64, _LOCATOR, _ENTRY = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x01\x02"
_END_SIZE, _END64_SIZE, _LOCATOR_SIZE, _ENTRY_SIZE = 22, 56, 20, 46
_LONGEST_COMMENT = 2**16


def entries_up_to(content: bytes, most: int) -> int:
    """Number of entries in a zip file's directory, or `most` + 1 if it has more.

    `zipfile.ZipFile` takes 90 bytes and 0.1 ms for each entry before it can be asked how many there are. This walks
    over the same directory, and stops; it believes no number that the file gives. Of a file that is no zip it counts 0.
    """
    found = _directory(content)
    if found is None:
        return 0
    start, end = found
    number = 0
    while start + _ENTRY_SIZE <= end and content[start : start + 4] == _ENTRY and number <= most:
        number += 1
        start += _ENTRY_SIZE + sum(struct.unpack_from("<3H", content, start + 28))  # name, extra field, comment
    return number


def _directory(content: bytes) -> tuple[int, int] | None:
    """(first byte, end) of the directory, found as `zipfile` finds it."""
    place = len(content) - _END_SIZE
    if place < 0:
        return None
    if not (content.startswith(_END, place) and content.endswith(b"\0\0")):
        place = content.rfind(_END, max(0, place - _LONGEST_COMMENT))
        if place < 0 or place + _END_SIZE > len(content):
            return None
    (size,) = struct.unpack_from("<I", content, place + 12)
    large = place - _LOCATOR_SIZE - _END64_SIZE
    if large >= 0 and content.startswith(_LOCATOR, place - _LOCATOR_SIZE) and content.startswith(_END64, large):
        place = large
        (size,) = struct.unpack_from("<Q", content, large + 40)
    return (place - size, place) if size <= place else None
