"""The panels and bars of the window. Each reads the session, follows its events, and calls commands."""
