"""What was found, on paper: one page of text, tables and pictures, as PDF and as DICOM objects."""
