"""The tests; a package, so that engine processes can import what they run from it."""
