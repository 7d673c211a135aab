"""How viewports are laid out, and what of which series hangs in each."""
