"""How varied a set of scripts is: duplicates, near-duplicates, sentence skeletons, vocabulary, distinct-2.

What is counted
---------------
exact duplicates    scripts whose lines (all roles, texts only) equal those of an earlier script
near-duplicates     scripts whose user lines have a Jaccard similarity >= 0.8 with an earlier script's, over
                    shingles of 3 words (en) or 5 characters (zh); candidates come from MinHash LSH
                    (Broder 1997; datasketch), and each candidate is checked by its exact Jaccard similarity
skeleton share      with every content word replaced by one mask, the largest share of turns of one skeleton.
                    Function words stay; numbers are masked; punctuation is dropped; runs of masks keep their
                    length. ``collapsed`` joins runs of masks and is the stricter figure
vocabulary          different words (en: casefolded; zh: jieba's segmentation)
distinct-2          different word bigrams / all word bigrams over all lines (Li et al. 2016)

The closed lists of function words are :data:`FUNCTION_WORDS`. Needs the extra ``analysis``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from duologue.errors import MissingPartError
from duologue.generate.script import Script

_WORD_EN = re.compile(r"[a-z0-9]+(?:['’-][a-z0-9]+)*")
_HAN = re.compile(r"[\w]+")
MASK = "_"

_EN = """
a an the this that these those here there i me my mine myself you your yours yourself he him his
himself she her hers herself it its itself we us our ours ourselves they them their theirs
themselves one who whom whose which what and or but so nor yet for if because since as than though
although while when where why how until till unless whether once after before of to in on at by with
from up down out off over under into onto about through between behind across along around without
against during above below near inside outside past be am is are was were been being do does did
doing done have has had having will would can could shall should may might must not no yes i'm i've
i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll it's it'd it'll we're we've
we'd we'll they're they've they'd they'll that's that'd there's there'd here's what's who's who'd
how's where's isn't aren't wasn't weren't don't doesn't didn't haven't hasn't hadn't won't wouldn't
can't couldn't shouldn't mustn't let's some any every each all both either neither none much many
more most few less other another such same own too very just only even also still already again ever
never then now oh ah well okay ok hey hi
"""
_ZH = """
的 地 得 了 着 过 吗 呢 吧 啊 呀 哦 嘛 啦 么 哎 唉 嗯 喂 咦 哇 我 你 您 他 她 它 我们 你们
他们 她们 咱 咱们 自己 别人 人家 大家 谁 什么 怎么 怎样 哪 哪儿 哪里 哪些 多少 几 这 那 这儿 那儿
这里 那里 这个 那个 这些 那些 这么 那么 这样 那样 这事 这会儿 和 跟 与 同 或 或者 还是 但 但是 可
可是 不过 而 而且 因为 所以 如果 要是 虽然 就 才 都 也 又 还 再 只 便 在 从 到 给 把 被 让 叫
向 往 对 对于 关于 为 为了 由 比 用 以 于 自从 等 当 是 有 没 没有 不 不是 别 要 会 能 可以
应该 想 该 肯 敢 很 太 真 最 更 挺 好 越 非常 特别 有点 多 一 个 一个 一下 一点 些 点 上 下 里
外 前 后 中 时候 以后 以前 之后 之前 后来 然后 接着 一直 已经 刚 刚才 正在 正 先 为什么 其实 反正
总之 另外
"""
FUNCTION_WORDS = {"en": frozenset(_EN.split()), "zh": frozenset(_ZH.split())}


class Diversity(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one set of scripts; shares are of scripts (duplicates) or of turns (skeletons), 0 to 1."""

    scripts: int
    turns: int
    exact_duplicates: int
    near_duplicates: int
    near_duplicate_share: float
    skeletons: int
    top_skeleton: str
    top_skeleton_share: float
    top_collapsed: str
    top_collapsed_share: float
    vocabulary: int
    distinct_2: float


def words(text: str, language: str) -> list[str]:
    """The words of ``text``: casefolded (en) or as jieba segments them (zh), without punctuation."""
    if language == "zh":
        try:
            import jieba
        except ModuleNotFoundError as error:
            raise MissingPartError("word segmentation needs jieba", mend="pip install 'duologue[analysis]'") from error
        jieba.setLogLevel(60)
        return [w for w in jieba.cut(text) if _HAN.fullmatch(w)]
    return _WORD_EN.findall(text.casefold().replace("’", "'"))


def skeleton(text: str, language: str, *, collapse: bool = False) -> str:
    """``text`` with content words masked: function words of the closed list stay, all others become "_"."""
    return _masked(words(text, language), language, collapse)


def _masked(found: Sequence[str], language: str, collapse: bool) -> str:
    keep = FUNCTION_WORDS[language]
    masked: list[str] = []
    for word in found:
        shown = word if word in keep else MASK
        if not (collapse and shown == MASK and masked and masked[-1] == MASK):
            masked.append(shown)
    return " ".join(masked)


def shingles(text: str, language: str) -> set[str]:
    """3-word (en) or 5-character (zh, punctuation left out) shingles; the whole where there are fewer."""
    if language == "zh":
        units: Sequence[str] = "".join(_HAN.findall(text))
        size, joint = 5, ""
    else:
        units, size, joint = words(text, language), 3, " "
    if len(units) <= size:
        return {joint.join(units)}
    return {joint.join(units[i : i + size]) for i in range(len(units) - size + 1)}


class Likeness:
    """Texts of one language that were seen, to find those that a new one nearly repeats.

    LSH is set below the threshold, so that what it misses is rare; each candidate is then checked exactly.
    """

    def __init__(self, language: str, *, threshold: float = 0.8, permutations: int = 128) -> None:
        try:
            from datasketch import MinHashLSH
        except ModuleNotFoundError as error:
            raise MissingPartError(
                "near-duplicates need datasketch", mend="pip install 'duologue[analysis]'"
            ) from error
        self.language, self.threshold, self._permutations = language, threshold, permutations
        self._index = MinHashLSH(threshold=max(0.1, threshold - 0.15), num_perm=permutations)
        self._kept: list[tuple[str, set[str]]] = []

    def __len__(self) -> int:
        return len(self._kept)

    def meet(self, text: str, name: str = "", *, keep: bool = True) -> str | None:
        """The name of an earlier text with a Jaccard similarity of at least the threshold to ``text``, None where
        there is none. With ``keep``, ``text`` is itself kept under ``name`` afterwards."""
        from datasketch import MinHash

        parts = shingles(text, self.language)
        sketch = MinHash(num_perm=self._permutations, seed=1)
        sketch.update_batch([p.encode() for p in sorted(parts)])
        found = None
        for key in self._index.query(sketch):
            other_name, other = self._kept[int(key)]
            if len(parts & other) >= self.threshold * len(parts | other):
                found = other_name
                break
        if keep:
            self._index.insert(str(len(self._kept)), sketch)
            self._kept.append((name, parts))
        return found


def near_duplicates(texts: Iterable[str], language: str, *, threshold: float = 0.8, permutations: int = 128) -> int:
    """How many of ``texts`` have a Jaccard similarity of at least ``threshold`` with an earlier one."""
    seen = Likeness(language, threshold=threshold, permutations=permutations)
    return sum(seen.meet(text) is not None for text in texts)


def measure(scripts: Iterable[Script], language: str) -> Diversity:
    """All figures for ``scripts`` of one language."""
    seen: set[str] = set()
    exact = turns = total = 0
    user: list[str] = []
    full: Counter[str] = Counter()
    short: Counter[str] = Counter()
    vocabulary: set[str] = set()
    bigrams: set[tuple[str, str]] = set()
    pairs = 0
    for script in scripts:
        total += 1
        whole = "\n".join(line.text for line in script.lines)
        exact += whole in seen
        seen.add(whole)
        user.append("\n".join(line.text for line in script.lines if line.role == "user"))
        for line in script.lines:
            turns += 1
            found = words(line.text, language)
            full[_masked(found, language, False)] += 1
            short[_masked(found, language, True)] += 1
            vocabulary.update(found)
            bigrams.update(pairwise(found))
            pairs += max(0, len(found) - 1)
    near = near_duplicates(user, language)
    (top, n), (stop, m) = (c.most_common(1)[0] if c else ("", 0) for c in (full, short))
    return Diversity(
        scripts=total,
        turns=turns,
        exact_duplicates=exact,
        near_duplicates=near,
        near_duplicate_share=near / max(1, total),
        skeletons=len(full),
        top_skeleton=top,
        top_skeleton_share=n / max(1, turns),
        top_collapsed=stop,
        top_collapsed_share=m / max(1, turns),
        vocabulary=len(vocabulary),
        distinct_2=len(bigrams) / max(1, pairs),
    )
