"""The audit of training data: does it hold parts of a test set, as sound, as text or by voice?

A test set is turned into an index of hashes and sketches that can be published (:mod:`.index`), training data of any
common layout is read piece by piece (:mod:`.source`), and each piece is compared with the index (:mod:`.scan`).
"""
