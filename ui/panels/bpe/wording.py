"""What the panel of BPE says: what to try, and the formulae."""

__all__ = ["FORMULAE", "LESSONS"]

LESSONS = ""
FORMULAE = ()
