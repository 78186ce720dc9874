"""The panel of BPE."""
