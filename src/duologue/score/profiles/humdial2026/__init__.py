"""The official scoring of the HumDial challenge's track 2 (ICASSP 2026), faults included.

Source of every formula: the challenge's published scripts and results page (ASLP-lab/HumDial-Challenge,
ASLP-lab/Hum-Dial, ASLP-lab/HumDial-FDBench); ``docs/official-profile.md`` lists them with the steps they leave open.
"""
