"""The label model: targets, training, calibration, decisions, storage; imports every other room."""
