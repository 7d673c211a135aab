"""A trainable plugin small enough for tests."""
