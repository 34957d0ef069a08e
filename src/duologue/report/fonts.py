"""Fonts of a picture: one with Chinese characters where the text needs it."""

from __future__ import annotations

from pathlib import Path

_CJK = ("CJK", "Source Han", "WenQuanYi", "Microsoft YaHei", "SimHei", "PingFang", "Heiti", "Noto Sans SC", "Unicode")


def families(text: str) -> tuple[list[str], tuple[str, ...]]:
    """Font families of matplotlib for ``text``, and a warning where its characters would be missing."""
    if all(ord(c) < 0x2E80 for c in text):
        return ["DejaVu Sans"], ()
    from matplotlib import font_manager

    def found() -> list[str]:
        names = sorted({f.name for f in font_manager.fontManager.ttflist})
        sc_first = sorted(names, key=lambda n: ("SC" not in n, "Sans" not in n, n))
        return [n for n in sc_first if any(c in n for c in _CJK)]

    if not found():
        # The cached list may be older than a font that was just installed.
        for file in font_manager.findSystemFonts():
            if any(c.replace(" ", "") in Path(file).name.replace(" ", "") for c in _CJK):
                font_manager.fontManager.addfont(file)
    if names := found():
        return ["DejaVu Sans", names[0]], ()
    return ["DejaVu Sans"], (
        "no font with Chinese characters is installed, so they show as boxes; "
        "apt install fonts-noto-cjk (or install any Noto Sans CJK) and draw again",
    )
