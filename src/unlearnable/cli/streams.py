"""Standard streams that no command fails on: closed, without a reader, or of a narrow encoding."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

# The reader has left: a closed pipe (EINVAL on Windows), or a terminal that was closed.
READER_LEFT = {errno.EPIPE, errno.EINVAL, errno.EIO}
IN, OUT, ERR = 0, 1, 2


class Output(io.FileIO):
    """A standard stream that swallows what nobody reads any more.

    Args:
        number: Its file descriptor.
        forgiving: Whether every other failure is swallowed too, as on stderr, where none can be reported.
    """

    def __init__(self, number: int, forgiving: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self.forgiving = forgiving
        self.lost = False

    def write(self, data: Any, /) -> int:
        """Write bytes, or drop them if the stream was lost.

        Raises:
            OSError: Once, if the stream cannot be written although it has a reader: the disk is full.
        """
        if not self.lost:
            try:
                return super().write(data)
            except OSError as error:
                # the rest of the buffer is written when Python exits, and would fail again
                self.lost = True
                if not (self.forgiving or error.errno in READER_LEFT):
                    raise
        return memoryview(data).nbytes


def secure() -> None:
    """Make the standard streams of this process safe to write to. Streams that a caller replaced stay.

    - A closed stream becomes the null device, so that no file that is opened later gets its number.
    - A reader that leaves, such as ``head``, ends the output and not the command.
    - Characters that the encoding lacks are written as escapes.
    """
    for number in (IN, OUT, ERR):
        try:
            os.fstat(number)
        except OSError:
            # the lowest free number, which is this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(IN, closefd=False), encoding="utf-8")
    sys.stdout = _secured(sys.stdout, OUT)
    sys.stderr = _secured(sys.stderr, ERR)


def _secured(stream: TextIO | None, number: int) -> TextIO:
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(Output(number, True)), encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    # without a buffer if PYTHONUNBUFFERED is set
    raw = getattr(buffer, "raw", buffer)
    # the console of Windows writes through a class of its own
    if not isinstance(stream, io.TextIOWrapper) or type(raw) is not io.FileIO or raw.fileno() != number:
        return stream
    stream.flush()
    output = Output(number, forgiving=number == ERR)
    return io.TextIOWrapper(
        output if raw is buffer else io.BufferedWriter(output),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
