"""A worker: a process that holds one stack, learns one batch at a time and reports on it.

It knows nothing of Ray, which calls its methods from several threads. A thread of its own learns, because a review
interrupts learning with a question, and the asking process answers it while other workers continue.
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

BETWEEN = 0.2  # seconds between two reports of steps; boundaries are always reported


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
        """Its process id and machine, as JSON."""
        return json.dumps({"pid": os.getpid(), "node": platform.node()})

    def load(self, stack: str) -> str:
        """Load a stack, as `stack_of` describes it; return JSON with its fingerprint and an error message or ""."""
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
        """Begin to learn a batch, from a snapshot if there is one; its last message is "end"."""
        self._stopping.clear()
        self._answers = SimpleQueue()
        threading.Thread(target=self._learn, args=(Order.from_json(order), snapshot), daemon=True).start()

    def told(self) -> list[Message]:
        """The messages since the last call; waits for the first."""
        messages = [self._told.get()]
        with suppress(Empty):
            while True:
                messages.append(self._told.get_nowait())
        return messages

    def answer(self, decision: str) -> None:
        """Answer the last proposal."""
        self._answers.put(decision)

    def stop(self) -> None:
        """Stop learning."""
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
                review_last=order.asks_last,
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
        if self._stopping.is_set():  # the answer no longer matters
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
    """JSON from which `Actor.load` loads the same stack."""
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
    """JSON values from which `build_namer` builds the same namer.

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
