"""``duologue questions``: multiple-choice questions of a track 1 corpus, and the score of answers to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import msgspec

from duologue.corpus.read import Corpus
from duologue.corpus.write import write_atomic
from duologue.errors import UserError

if TYPE_CHECKING:
    from duologue.score.emotion.choice import Kind, Question

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=FILE, help="Write the questions here, JSON Lines.")
@click.option("--key", type=FILE, help="Write the answers here and leave them out of the questions.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(["trajectory", "cause"]), help="Only this kind.")
@click.option("--permutations", type=click.IntRange(1, 4), default=1, show_default=True, help="Orders of the options.")
@click.option("--seed", default=0, show_default=True)
@click.option("--split", help="Only this split.")
@click.option("--language", help="Only this language.")
@click.option("--answers", type=FILE, help="Score these answers: JSON Lines of {id, answer: letter, index or text}.")
@click.option("--transcript-answers", type=FILE, help="Answers of the same system from the words alone.")
@click.option("--guess", is_flag=True, help="Try to answer from the options alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the score as JSON.")
def command(
    corpus: Path,
    out: Path | None,
    key: Path | None,
    kinds: tuple[str, ...],
    permutations: int,
    seed: int,
    split: str | None,
    language: str | None,
    answers: Path | None,
    transcript_answers: Path | None,
    guess: bool,
    as_json: bool,
) -> None:
    """Make multiple-choice questions of CORPUS, or score answers to them.

    \b
    Examples:  duologue questions data/demo -o questions.jsonl --key key.jsonl --permutations 4
               duologue questions data/demo --permutations 4 --answers answers.jsonl

    The same corpus, options and seed give the same questions, so that answers need no key to be scored.
    """
    from duologue.score.emotion.choice import KINDS, generate

    if out is None and answers is None and not guess:
        raise UserError("nothing to do", mend="give -o FILE, --answers FILE or --guess")
    opened = Corpus(corpus, track="emotion", split=split, language=language)
    chosen = cast("tuple[Kind, ...]", kinds or KINDS)
    made = generate((i.dialogue for i in opened), seed=seed, kinds=chosen, permutations=permutations)
    questions = list(made.questions)
    if not questions:
        raise UserError(
            "no question can be asked", where=str(corpus), mend=f"left out: {made.skipped or 'no dialogues'}"
        )
    if out is not None:
        _write(out, key, questions)
        reasons = "; ".join(f"{why}: {n}" for why, n in made.skipped.items()) or "nothing"
        click.echo(f"wrote {len(questions)} questions to {out}; left out: {reasons}", err=True)
    if guess:
        from duologue.score.emotion.guess import options_only

        e = options_only(questions, seed=seed)
        low, high = (f"{x:.3f}" if x is not None else "?" for x in (e.low, e.high))
        shown = f"{e.value:.3f}" if e.value is not None else "?"
        click.echo(f"from the options alone: {shown} [{low}, {high}] of {e.n} questions, chance 0.250")
    if answers is not None:
        _score(questions, answers, transcript_answers, as_json)


def _write(out: Path, key: Path | None, questions: list[Question]) -> None:
    encode = msgspec.json.encode
    if key is not None:
        keyed = [{"id": q.id, "answer": q.answer, "distractors": [o.distractor for o in q.options]} for q in questions]
        write_atomic(key, b"".join(encode(k) + b"\n" for k in keyed))
        questions = [
            msgspec.structs.replace(
                q,
                answer=None,
                clusters={},
                options=tuple(msgspec.structs.replace(o, distractor="") for o in q.options),
            )
            for q in questions
        ]
    write_atomic(out, b"".join(encode(q) + b"\n" for q in questions))


def _score(questions: list[Question], answers: Path, transcript: Path | None, as_json: bool) -> None:
    from duologue.score.emotion.answers import read_answers
    from duologue.score.emotion.choice_score import score

    found = score(questions, read_answers(answers), read_answers(transcript) if transcript else None)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
        return
    from rich.console import Console

    from duologue.report.emotion_text import choice

    Console(highlight=False).print(choice(found))
