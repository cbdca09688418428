"""How good a model is, out of time: splits, metrics, calibration, gate, bands, drift."""
