"""The attack panel, in the order in which it is read: settings, screen, tabs."""
