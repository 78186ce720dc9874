"""The engine room: everything that computes, importable without a browser or a page."""
