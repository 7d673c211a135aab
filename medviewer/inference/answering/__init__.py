"""What a network's output becomes: probabilities, checked, then labels and maps of doubt on the image's grid."""
