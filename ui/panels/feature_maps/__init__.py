"""The second panel: its screen, its words, and the tabs below."""
