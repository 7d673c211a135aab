"""Pneumonia on chest radiographs, a demonstration."""
