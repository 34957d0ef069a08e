"""Who allowed the use of a recording or text, and under which licence."""

from __future__ import annotations

import msgspec

from duologue.corpus.bounds import Name


class Rights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Licence and consent of one dialogue.

    ``licence`` is an SPDX expression where there is one ("CC-BY-4.0"). ``consent_id`` names the record of
    the speakers' consent; it is "not-applicable" only where every speaker is synthetic.
    """

    licence: Name
    consent_id: Name
    source_url: str = ""
    holder: str = ""
