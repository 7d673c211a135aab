"""Whose code the user lets run: the ledger of trusted fingerprints."""

from medviewer.trust.ledger import TrustEntry, TrustLedger

__all__ = ["TrustEntry", "TrustLedger"]
