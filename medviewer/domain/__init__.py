"""Frozen values and pure functions; numpy only. Everything else in the house imports from here."""
