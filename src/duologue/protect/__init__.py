"""Guarding a data set: splits, sealed tests, the audit of training data, declarations."""
