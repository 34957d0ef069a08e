"""The official scoring of the HumDial challenge's track 1 (ICASSP 2026), quirks included.

Source of every formula: the released scripts (``Emotional_Intelligence/eval_task{1,2,3}.py`` of ASLP-lab/Hum-Dial) and
the results page (ASLP-lab/HumDial-Challenge, content/track1/results.md); ``docs/emotion-official-profile.md`` lists
them with the steps they leave open.
"""
