"""Brain extraction from head MR."""
