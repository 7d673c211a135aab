"""Segmenting by clicks: what the user points at goes to the child process, and a mask comes back."""
