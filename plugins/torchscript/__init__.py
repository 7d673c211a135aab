"""TorchScript models."""
