"""How far a result can be believed: calibration, distance from the training set, whether a mask can be true at all."""
