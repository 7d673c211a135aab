"""What the program asks of a screen: protocols that `ui` implements and tests fake."""
