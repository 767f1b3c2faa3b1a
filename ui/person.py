"""A person at the terminal decides about new negatives (`conceptree seed --ask`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console

from core.review import Decision, Proposal, ReviewError
from ui.console import LearningBar, say


class Person:
    """Asks on the terminal about each new negative; `asked` is a review, see `core.review`."""

    HOW = (
        "Enter or y: agree. Or type other words, with commas between; -: none; -word: drop one; <step: go back to a"
        " step; q: stop asking; ?: this help."
    )

    def __init__(self, out: Console, bar: LearningBar) -> None:
        self.out, self.bar = out, bar
        self.asks, self.knows_how = True, False

    def asked(self, names: Mapping[str, str], proposal: Proposal) -> Decision | None:
        """The person's decision on a proposal; None agrees. names: of the requests, by their ids."""
        with self._without_bar():
            if self.asks and not proposal.problem:
                self._show(names[proposal.id], proposal)
            problem = proposal.problem
            while self.asks:
                if problem:
                    say(self.out, f"    {problem}")
                try:
                    text = input("    > ").strip()
                    if text.lower() in ("y", "yes"):
                        return None
                    if text == "?":
                        problem = self.HOW
                        continue
                    if text != "q":
                        return typed(text, proposal)
                    self._stop("No more questions")
                except ReviewError as error:
                    problem = str(error)
                except UnicodeDecodeError:
                    problem = "the input is not valid text: type it again"
                except EOFError:
                    self._stop("The input has ended")
        return None

    def _show(self, name: str, proposal: Proposal) -> None:
        so_far = ", ".join(negative.word for negative in proposal.negatives) or "anything yet"
        note = f" ({proposal.note})" if proposal.note else ""
        back = f"; you can go back to {', '.join(map(str, proposal.earlier))}" if proposal.earlier else ""
        say(self.out, f"  step {proposal.step:<4} {name} is not {so_far}{back}")
        say(self.out, f"    proposed as a negative: {', '.join(proposal.words) or 'nothing'}{note}")
        if not self.knows_how:
            say(self.out, f"    {self.HOW}")
            self.knows_how = True

    def _stop(self, why: str) -> None:
        self.asks = False
        say(self.out, f"    {why}: the proposals are used from now on.")

    @contextmanager
    def _without_bar(self) -> Iterator[None]:
        """On a terminal the bar redraws itself many times a second, over the typed text."""
        if self.out.is_terminal:
            self.bar.__exit__(None, None, None)
        try:
            yield
        finally:
            if self.out.is_terminal:
                self.bar.__enter__()


def typed(text: str, proposal: Proposal) -> Decision:
    """`horse, -cat` and the like as a decision. Without other words the proposal stays, unless "-" is given.

    Raises:
        ReviewError: a step is not a number.
    """
    words: list[str] = []
    drop: list[str] = []
    proposed, back_to = list(proposal.words), None
    for item in filter(None, map(str.strip, text.split(","))):
        going_back = re.fullmatch(r"<\s*([0-9]{1,9})\b\s*(.*)", item)
        if item == "-":
            proposed = []
        elif item.startswith("-"):
            refused = item[1:].strip()
            if refused.lower() in map(str.lower, proposed):
                proposed = [word for word in proposed if word.lower() != refused.lower()]
            else:
                drop.append(refused)
        elif going_back:
            back_to, proposed = int(going_back[1]), []
            words += filter(None, [going_back[2]])
        elif item.startswith("<"):
            raise ReviewError(
                f"{item!r} is not a step to go back to: write it as in <{next(iter(proposal.earlier), 0)}"
            )
        else:
            words.append(item)
    return Decision(tuple(words or proposed), tuple(drop), back_to)
