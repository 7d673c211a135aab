"""DICOM files to domain values and back."""
