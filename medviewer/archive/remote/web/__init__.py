"""DICOMweb (PS3.18), by dicomweb-client."""
