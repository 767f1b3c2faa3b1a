"""A worker: a process that holds one stack and learns one batch at a time, and tells of it while it does.

This knows nothing of Ray, which calls its methods from several threads. A thread of its own learns: a review is a
question in the midst of learning, and whoever asked for the batch answers it while others go on.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import torch

from core.concept import Request
from core.errors import ConceptreeError
from core.namers import FunctionNamer, asking, vqa_namer_for, where_of
from core.negatives import Namer
from core.optimizer import ConceptLab, Report
from core.options import Options
from core.review import Decision, Proposal
from core.stack.backbone import Backbone
from evolve.workers.messages import Message, Order, decision_of, proposal_message, report_message

BETWEEN = 0.2  # seconds between two steps that are told: what happens at a boundary is always told


class Actor:
    """Worker-process side of `Workers`; exchanges only text and bytes."""

    def __init__(self) -> None:
        self._stack: Any = None
        self._threads = 1
        self._namers: dict[str, Namer] = {}
        self._told: SimpleQueue[Message] = SimpleQueue()
        self._answers: SimpleQueue[str] = SimpleQueue()
        self._stopping = threading.Event()

    def here(self) -> str:
        """Which process it is, as JSON."""
        return json.dumps({"pid": os.getpid(), "node": platform.node()})

    def load(self, stack: str) -> str:
        """Hold a stack, as `stack_of` says it; JSON with its fingerprint, and what is wrong if anything is."""
        about = {"problem": "", "fingerprint": ""}
        try:
            told = json.loads(stack)
            self._threads = told.pop("threads")
            torch.set_num_threads(self._threads)
            where, device, dtype = told.pop("where"), told.pop("device"), told.pop("dtype")
            self._stack = Backbone.load(where, device, dtype, **told)
            about["fingerprint"] = self._stack.fingerprint
        except ConceptreeError as error:
            about["problem"] = str(error)
        return json.dumps(about)

    def begin(self, order: str, snapshot: bytes) -> None:
        """Learn a batch, from a snapshot if there is one; the last that is told of it is its end."""
        self._stopping.clear()
        self._answers = SimpleQueue()
        threading.Thread(target=self._learn, args=(Order.from_json(order), snapshot), daemon=True).start()

    def told(self) -> list[Message]:
        """All that happened since this was asked last; waits until something did."""
        messages = [self._told.get()]
        with suppress(Empty):
            while True:
                messages.append(self._told.get_nowait())
        return messages

    def answer(self, decision: str) -> None:
        """The answer to the proposal that was told last."""
        self._answers.put(decision)

    def stop(self) -> None:
        """Learn no further."""
        self._stopping.set()
        self._answers.put("null")

    def _learn(self, order: Order, snapshot: bytes) -> None:
        try:
            torch.set_num_threads(self._threads)  # a new thread of Python is a new team for OpenMP
            requests = [Request.from_json(text) for text in order.requests]
            options = Options(
                namer=self._namer(order.namer),
                draw=order.draw,
                review=self._ask if order.asks else None,
                images=order.images,
                drafts=order.drafts,
                at_once=len(requests),
            )
            lab = ConceptLab(self._stack)
            if tuple(lab.concept_id(request, options) for request in requests) != order.ids:
                raise ConceptreeError(
                    f"the worker on {platform.node()} would learn something else: its stack, question answerer or"
                    " version of Conceptree differs from this process's"
                )
            last = 0.0
            for report in lab.learn(requests, options, [snapshot]):
                if self._stopping.is_set():
                    return
                if self._counts(report) or time.monotonic() - last >= BETWEEN:
                    last = time.monotonic()
                    self._told.put(report_message(report))
        except ConceptreeError as error:
            self._told.put((json.dumps({"kind": "refused", "problem": str(error)}), []))
        except Exception as error:
            problem = " ".join(f"{type(error).__name__}: {error}".split())
            self._told.put((json.dumps({"kind": "failed", "problem": problem}), []))
        finally:
            self._told.put((json.dumps({"kind": "end"}), []))

    @staticmethod
    def _counts(report: Report) -> bool:
        return bool(report.events or report.finished)

    def _ask(self, proposal: Proposal) -> Decision | None:
        if self._stopping.is_set():  # what follows is for nobody
            return None
        self._told.put(proposal_message(proposal))
        return decision_of(self._answers.get())

    def _namer(self, told: Mapping[str, Any] | None) -> Namer | None:
        if told is None:
            return None
        key = json.dumps(told, sort_keys=True)
        if key not in self._namers:
            self._namers[key] = build_namer(told, self._stack)
        return self._namers[key]


def stack_of(backbone: Any, threads: int, device: str) -> str:
    """What `Actor.load` makes the same stack of."""
    where = str(backbone.where)
    folder = Path(where).expanduser()
    told = {
        "where": str(folder.resolve()) if where != "emoji" and folder.is_dir() else where,
        "device": device,
        "dtype": str(backbone.dtype).removeprefix("torch."),
        "offload": backbone.turns is not None,
        "threads": threads,
    }
    return json.dumps(told)


def namer_told(namer: Namer | None) -> dict[str, Any] | None:
    """What `build_namer` makes the same namer of.

    Raises:
        ConceptreeError: it is no model by folder or id.
    """
    if namer is None:
        return None
    where = where_of(namer)
    if not where or not isinstance(namer, FunctionNamer):
        raise ConceptreeError(
            f"the namer {namer.name!r} is in this process alone, and workers cannot make one like"
            " it: take a question answering model by its folder or id, or none"
        )
    return {"where": where, "question": namer.question or None}


def build_namer(told: Mapping[str, Any], backbone: Any) -> Namer:
    """A namer as `namer_told` said it, on a backbone's device."""
    namer = vqa_namer_for(backbone, told["where"])
    return asking(namer, told["question"]) if told["question"] else namer
