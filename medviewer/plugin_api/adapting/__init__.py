"""What adapters share: networks by name, their powers, weights, archives and configurations that are read as data."""
