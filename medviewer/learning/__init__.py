"""Corrections become the next model version: queue, split, fine-tune, gate, registry."""
