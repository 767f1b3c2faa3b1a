"""What people read for the short names in the code: one table each for commands, pictures and pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from core.wording import counted

if TYPE_CHECKING:
    from evolve.store.rows import Entry

# How a concept came to be, see `Entry.birth`; the last two are parents that are no concepts of the run.
BIRTHS = {
    "founder": "founder",
    "imported": "imported",
    "mix": "child",
    "mutate": "variation",
    "image": "child of pictures",
    "photo": "photograph",
    "unknown": "outside this run",
}
# Okabe and Ito's colours, darkened: people who do not see red or green can tell them apart.
BIRTH_COLOURS = {
    "founder": "#b8860b",
    "imported": "#c2709b",
    "mix": "#2f6fa8",
    "mutate": "#c4561b",
    "image": "#2a8a6c",
    "photo": "#7d5ba6",
    "unknown": "#8f8f8f",
}

# What each kind of job makes: one, and several.
RESULTS = {
    "seed": ("founder", "founders"),
    "breed": ("child", "children"),
    "vary": ("variation", "variations"),
    "evolve": ("generation", "generations"),
    "map": ("generation", "generations"),
}
# States of a job, see `evolve.jobs.job.Status`; "starting" is a process that has not reached its job yet.
STATES = {
    "waiting": "not started",
    "starting": "starting",
    "working": "learning",
    "paused": "waits for your choice",
    "stopped": "stopped",
    "failed": "failed",
    "killed": "interrupted",
    "finished": "finished",
}


class Method(NamedTuple):
    """A selection method in words. term: what the literature calls it."""

    name: str
    told: str = ""
    term: str = ""


# Selection methods of an evolution.
METHODS = {
    "tournament": Method(
        "All-rounders",
        "Concepts that are good in all respects have children.",
        "Tournaments by the mean rank in all objectives.",
    ),
    "nsga2": Method(
        "Trade-offs",
        "Concepts that no other one beats in every respect have children.",
        "Pareto selection (NSGA-II): non-dominated sorting with crowding distance.",
    ),
    "novelty": Method(
        "Novelty",
        "The concepts least like all others have children, if they belong to the category.",
        "Novelty search, within the category.",
    ),
    "taste": Method("My taste", "You tap what you like of six at a time, and what you seem to like has children."),
    "user": Method("I choose", "You choose the parents of each generation; the job waits for you in between."),
    "random": Method(
        "By chance", "Parents are drawn at random.", "Random selection: a baseline for the other methods."
    ),
}


def method_of(name: str) -> Method:
    """A selection method in words; one that was registered elsewhere has its own name only."""
    return METHODS.get(name, Method(name))


# Objectives of fitness, each to be maximised.
OBJECTIVES = {
    "belongs": "similarity to the category",
    "differs": "that, minus the similarity to the nearest known member",
    "novel": "mean distance to the nearest concepts of the run",
    "consistent": "similarity of its images in different prompts",
    "rated": "your rating",
}

# Scores of a learned concept, see `core.metrics.scores` and `membership`.
SCORES = {
    "score": "decides which step is kept",
    "belongs": "similarity to the positives",
    "nearest": "similarity to the nearest negative",
    "margin": "positives minus nearest negative",
    "crowded": "similarity to the nearest earlier founder",
    "resembles": "similarity to the parents, by weight",
    "repelled": "similarity to parents with weights below 0",
    "category": "similarity to the category",
    "differs": "category minus the nearest known member",
    "consistency": "similarity of its images in different prompts",
}

# What pages call scores and objectives: one name for one number, and no name for two.
SCORE_NAMES = {
    "score": "score",
    "belongs": "positives",
    "nearest": "nearest negative",
    "margin": "margin",
    "crowded": "nearest founder",
    "resembles": "parents",
    "repelled": "parents to avoid",
    "category": "category",
    "differs": "unlike members",
    "consistency": "consistent",
}
OBJECTIVE_NAMES = {
    "belongs": "category",
    "differs": "unlike members",
    "novel": "novel",
    "consistent": "consistent",
    "rated": "rating",
    "likeness": "likeness",
}

# What pages call settings, see `core.settings.Settings`.
SETTING_NAMES = {
    "preset": "preset",
    "steps": "steps",
    "segment": "steps per segment",
    "learning_rate": "learning rate",
    "betas": "betas of AdamW",
    "weight_decay": "weight decay",
    "eps": "epsilon of AdamW",
    "lam": "weight of the positives (λ)",
    "max_cosine": "cap of positives",
    "min_cosine": "floor of negatives",
    "avoid_floor": "floor of avoided concepts",
    "prior_steps": "steps of the prior",
    "guidance_scale": "guidance scale",
    "s_max": "nearest negative counts double (Eq. 4)",
    "clamp": "cap and floor are used",
    "through_prior": "through the prior",
    "answers": "answers that become negatives",
    "keep": "checkpoint that is kept",
    "mix_through_prior": "children through the prior",
    "normalise_weights": "weights are normalised",
    "as_coded": "details as in the authors' code",
    "patience": "checkpoints without gain before an early end",
}


def tally(of: Sequence[Entry], shown: Sequence[Entry] | None = None) -> str:
    """`3 of 10 concepts, 2 hidden`: the visible concepts and the hidden ones.

    shown: those that a filter passes; by default all.
    """
    hidden = sum(each.note.hidden for each in of)
    told = counted(visible := len(of) - hidden, "concept")
    passed = sum(each.note.hidden for each in shown or ())
    if shown is not None and len(shown) - passed < visible:
        told = f"{len(shown) - passed:,} of {told}"
    if not hidden:
        return told
    return f"{told}, {f'{passed:,} of ' if 0 < passed < hidden else ''}{hidden:,} hidden"


# Sources of a negative; any other is the name of the model that proposed it.
NAMED_BY = {
    "request": "given at the start",
    "user": "you",
    "vqa": "question answerer",
    "vocabulary": "nearest known word",
}
