"""The planned speakers of a file of scripts dealt out to real people.

One person reads all lines of a role in a dialogue, and reads in one split alone; those who read for the system are
shared by all splits. Equal scripts and people give equal parts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from duologue.corpus.speaker import Role
from duologue.errors import UserError
from duologue.generate.scripts.written import Written
from duologue.recordings.person import Person


class _Dialogue(NamedTuple):
    """``roles``: the planned speaker (voice, speaker; the role where there is none) and sex, and seconds to read."""

    id: str
    split: str
    language: str
    roles: dict[Role, tuple[tuple[str, str], str, float]]


class Cast:
    """Who reads which role of which dialogue."""

    def __init__(self, people: Mapping[str, Person]) -> None:
        self._people = people
        self._dialogues: list[_Dialogue] = []
        self.reads: dict[tuple[str, Role], str] = {}

    def add(self, written: Written, where: str, seconds: Mapping[Role, float]) -> None:
        """Take a dialogue in; ``seconds`` are those of each role that is to be read. UserError without a split."""
        if not written.split:
            raise UserError(
                "the scripts do not say which split a dialogue is of, and nobody may read in two",
                where=where,
                field="split",
                mend="'duologue scripts write' into a new file",
            )
        planned = {c.role: c for c in written.cast}
        roles: dict[Role, tuple[tuple[str, str], str, float]] = {}
        for role, s in seconds.items():
            c = planned.get(role)
            roles[role] = ((c.voice, c.speaker) if c else ("", role), c.sex if c else "unknown", s)
        self._dialogues.append(_Dialogue(written.id, written.split, written.script.language, roles))

    def deal(self) -> None:
        """Deal all dialogues out; UserError names the split and language with too few people."""
        readers = [p for p in self._people.values() if "system" not in p.roles]
        systems = [p for p in self._people.values() if "system" in p.roles]
        split_of = _splits(readers, self._dialogues)
        load: dict[str, float] = defaultdict(float)
        told: dict[tuple[object, ...], str] = {}
        total: dict[tuple[object, ...], float] = defaultdict(float)
        for d in self._dialogues:
            for r, (speaker, _, s) in d.roles.items():
                total[d.split, d.language, r == "system", speaker] += s
        # Whoever has most to read is dealt first; bystanders come after all users.
        order: tuple[Role, ...] = ("user", "system", "third_party", "addressee")
        for role in order:
            rows = [(d, *d.roles[role]) for d in self._dialogues if role in d.roles]
            rows.sort(key=lambda r: (-total[r[0].split, r[0].language, role == "system", r[1]], r[0].id))
            for d, speaker, sex, s in rows:
                group = systems if role == "system" else [p for p in readers if split_of.get(p.name) == d.split]
                if role == "system" and not group:
                    continue
                taken = {self.reads[d.id, r] for r in d.roles if (d.id, r) in self.reads}
                able = [p for p in group if d.language in p.languages and role in p.roles and p.name not in taken]
                if not able:
                    raise UserError(
                        f"nobody is left in {d.split} to read the {role} of dialogue {d.id} ({d.language})",
                        field="cast",
                        mend="add people, or more to their roles and languages",
                    )
                key = ("" if role == "system" else d.split, d.language, role == "system", speaker)
                chosen = told.get(key)
                if chosen is None or chosen not in {p.name for p in able}:
                    chosen = min(able, key=lambda p: (sex != "unknown" and p.sex != sex, load[p.name])).name
                    told.setdefault(key, chosen)
                self.reads[d.id, role] = chosen
                load[chosen] += s


def _splits(readers: Sequence[Person], dialogues: Iterable[_Dialogue]) -> dict[str, str]:
    """Each person's split: first as many as each split and language needs, the rest where most is to be read."""
    need: dict[tuple[str, str], int] = {}
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    for d in dialogues:
        at, here = (d.split, d.language), [r for r in d.roles if r != "system"]
        need[at] = max(need.get(at, 0), len(here))
        seconds[at] += sum(d.roles[r][2] for r in here)
    dealt: dict[str, str] = {}

    def there(split: str, language: str) -> list[Person]:
        return [p for p in readers if dealt.get(p.name) == split and language in p.languages]

    # The scarcest language first; within it a woman and a man for each split as far as they go.
    spoken = Counter(language for p in readers for language in p.languages)
    for split, language in sorted(need, key=lambda a: (spoken[a[1]], a[1], a[0])):
        while len(have := there(split, language)) < need[split, language]:
            free = [p for p in readers if p.name not in dealt and language in p.languages]
            if not free:
                raise UserError(
                    f"{split} needs {need[split, language]} people who read {language!r}, for nobody may read in two "
                    f"splits or two roles; {len(have)} are left for it",
                    field="cast",
                    value=f"{spoken[language]} people read {language!r}",
                    allowed=f"{sum(n for (_, x), n in need.items() if x == language)} or more",
                )
            sexes = {p.sex for p in have}
            dealt[min(free, key=lambda p: (len(p.languages), p.sex in sexes)).name] = split
    for p in readers:
        if p.name in dealt:
            continue
        burden = {
            split: sum(seconds[split, x] / (1 + len(there(split, x))) for x in p.languages if (split, x) in seconds)
            for split, _ in sorted(need)
        }
        if burden:
            dealt[p.name] = max(burden, key=lambda s: burden[s])
    return dealt
