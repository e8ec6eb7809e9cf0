"""A bounded cursor over the little-endian bytes of an OM file, and the ways they can be wrong."""

from __future__ import annotations

from struct import Struct, unpack

from converter.model.wire import WireError

_U32 = Struct("<I")
_I32 = Struct("<i")
_U64 = Struct("<Q")

#: More of these than any compiled model has: damaged bytes, and not to become an allocation.
MAX_TENSORS = 4096
MAX_PROFILES = 4096
MAX_NAME_BYTES = 1 << 16
MAX_RANK = 64


class OmProblem(Exception):
    """What is wrong with a file that is no OM, or one that cannot be read, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Cursor:
    """Reads a view from its start; ``WireError`` where it ends too early."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.at = 0

    @property
    def left(self) -> int:
        """Number of bytes that are not read yet."""
        return len(self._data) - self.at

    def take(self, count: int) -> memoryview:
        """Return the next ``count`` bytes without copying them."""
        if count > self.left:
            raise WireError(f"{count} bytes are wanted, {self.left} are left")
        self.at += count
        return self._data[self.at - count : self.at]

    def u32(self) -> int:
        """Read an unsigned number of 4 bytes."""
        return int(_U32.unpack(self.take(4))[0])

    def i32(self) -> int:
        """Read a signed number of 4 bytes."""
        return int(_I32.unpack(self.take(4))[0])

    def u64(self) -> int:
        """Read an unsigned number of 8 bytes."""
        return int(_U64.unpack(self.take(8))[0])

    def i64s(self, nbytes: int, what: str, limit: int) -> tuple[int, ...]:
        """Read ``nbytes`` bytes of signed 8-byte numbers, ``limit`` of them at most."""
        if nbytes % 8 or nbytes // 8 > limit:
            raise WireError(f"{what} of {nbytes} bytes")
        return unpack(f"<{nbytes // 8}q", self.take(nbytes))

    def count(self, what: str, limit: int) -> int:
        """Read how many there are of something, ``limit`` at most."""
        number = self.u32()
        if number > limit:
            raise WireError(f"{number} {what}")
        return number

    def text(self, nbytes: int, what: str) -> str:
        """Read ``nbytes`` bytes of text."""
        if nbytes > MAX_NAME_BYTES:
            raise WireError(f"{what} of {nbytes} bytes")
        return as_lenient_text(self.take(nbytes))


def as_lenient_text(data: memoryview | bytes) -> str:
    """Text up to the first NUL; bytes that are not UTF-8 are shown as ``\\xNN``."""
    return bytes(data).split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
