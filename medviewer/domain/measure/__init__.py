"""What a person measures on an image: where it lies, what it comes to, how it changed. Pure values, no Qt."""
