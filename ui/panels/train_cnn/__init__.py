"""The first panel's parts: its settings, its screen, its words, and the tabs below."""
