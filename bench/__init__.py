"""One script a claim: `python -m bench.NAME` measures it here and prints what it saw."""
