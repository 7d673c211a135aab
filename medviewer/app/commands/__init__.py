"""Commands: plain functions over `Services`. The window and the command line call the same ones."""
