"""The classic DICOM network protocol (PS3.7, PS3.8), by pynetdicom."""
