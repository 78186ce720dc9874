"""Tests of core/shared."""
