"""What a check found: true if all is right, an assertion if it is asked to be one."""

from __future__ import annotations


class Verdict:
    """`ok` says whether all is right, the text what is wrong."""

    ok: bool

    def __bool__(self) -> bool:
        return self.ok

    def assert_(self) -> None:
        """AssertionError with the report as its text, unless all is right."""
        if not self.ok:
            raise AssertionError(str(self))
