"""What goes to a network: an image's values turned, cut out, resampled and scaled onto the grid that it asks for."""
