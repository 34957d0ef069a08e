"""Families of models: a judge tends to prefer text of its own kin, so that kinship has to be said.

Self-preference of judges: Panickssery et al. 2024 (arXiv 2404.13076).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Family -> words in names of its models. A distilled model belongs to both of its families.
_FAMILIES = {
    "Baichuan": r"baichuan",
    "Claude": r"claude",
    "Command": r"command-?(r|a|light|nightly)|c4ai|aya",
    "DeepSeek": r"deepseek",
    "Doubao": r"doubao|seed-?oss",
    "ERNIE": r"ernie",
    "Gemini": r"gemini|gemma|palm",
    "GLM": r"(chat)?glm",
    "GPT": r"(chat)?gpt|davinci|o[1345](-mini|-pro|-preview)?(?![\w.])",
    "Granite": r"granite",
    "Grok": r"grok",
    "Hunyuan": r"hunyuan",
    "InternLM": r"intern(lm|vl|-s1)",
    "Kimi": r"kimi|moonshot",
    "Llama": r"llama|vicuna|alpaca",
    "MiniCPM": r"minicpm",
    "MiniMax": r"minimax|abab",
    "Mistral": r"mi[sx]tral|ministral|magistral|codestral|devstral|voxtral|pixtral",
    "Nova": r"nova-(micro|lite|pro|premier)",
    "Phi": r"phi-?[1-9]",
    "Qwen": r"qwen|qwq|qvq|tongyi",
    "SmolLM": r"smollm",
    "Spark": r"sparkdesk|xinghuo",
    "Step": r"step-(audio|[1-9])",
    "Yi": r"yi-(large|medium|lightning|[1-9])",
}
_PATTERNS = {name: re.compile(rf"(?<![a-z])(?:{words})", re.IGNORECASE) for name, words in _FAMILIES.items()}


def families(model: str) -> frozenset[str]:
    """Families that ``model`` belongs to, by its name; the name itself where none is known."""
    found = frozenset(name for name, pattern in _PATTERNS.items() if pattern.search(model))
    return found or frozenset({model.strip().lower()})


def kinship_warning(judge: str, writers: Iterable[str]) -> str:
    """A warning where model ``judge`` is kin to a model in ``writers`` (who wrote the scripts, or speaks), else ""."""
    judges = families(judge)
    kin = sorted({w for w in writers if w and families(w) & judges})
    if not kin:
        return ""
    return (
        f"the judge {judge!r} is of one family ({', '.join(sorted(judges))}) with {', '.join(map(repr, kin))}: "
        "judges prefer text of their own kin; judge with another family as well"
    )
