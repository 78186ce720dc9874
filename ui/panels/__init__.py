"""What the screen of each panel shows, as blocks; the page has the words and the controls."""
