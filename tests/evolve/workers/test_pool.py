"""Workers: results depend on the requests alone, not on the worker, the number of workers, or their deaths."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections import deque
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from core import Backbone, Request, Settings
from core.concept import RequestError
from core.errors import ConceptreeError
from core.namers import canned_namer
from core.options import Options
from core.review import Decision
from evolve import Run, develop
from evolve.jobs.job import Conduct, Stopped
from evolve.jobs.stored import job_named, write_job
from evolve.jobs.work import learned
from evolve.workers.cluster import Cluster, _answer, _own_folder
from evolve.workers.pool import WorkerError, Workers

SETTINGS = Settings(steps=6, segment=2, learning_rate=1e-2, max_cosine=0.9, min_cosine=-0.9)
REQUESTS = [Request("pet", seed=seed, settings=SETTINGS) for seed in range(6)]
LONG = [replace(request, settings=replace(SETTINGS, steps=24, segment=4)) for request in REQUESTS[:4]]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """One thread, as in the workers."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def backbone(one_thread, stack_folder):
    """The tiny stack, used with one thread only: its caches depend on the threads in the last bits."""
    return Backbone.load(stack_folder, device="cpu")


@pytest.fixture(scope="module")
def told():
    """Messages of the workers for people."""
    return []


@pytest.fixture(scope="module")
def workers(backbone, told):
    """Up to two workers, one thread each, for batches of two."""
    with Workers(backbone, 2, at_once=2, say=told.append) as workers:
        yield workers


@pytest.fixture
def run(tmp_path, backbone):
    return Run.create(tmp_path / "run", "pet", backbone)


def timeless(concepts):
    return [replace(concept, seconds=0.0) for concept in concepts]


def by_one_process(requests, backbone, **how):
    return timeless(develop(requests, backbone, options=Options(at_once=2, **how)))


def end_worker_of(workers, place):
    """Kill the worker that learns the request at a place, and wait for its end."""
    (worker,) = [each for each in workers._workers if each.task and place in each.task.places]
    process = psutil.Process(int(worker.where.split()[0]))
    os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs([process], timeout=30)


def wait_for_both(workers):
    """Until two can begin at once: on a slow machine one would else have done before the other is there."""
    idle = SimpleNamespace(report=lambda: None)
    while [worker.state for worker in workers._workers] != ["ready", "ready"]:
        workers._staff(2)
        list(workers._heard(idle, deque()))


def test_one_worker_and_two_learn_what_one_process_does_to_the_bit(backbone, workers, run, monkeypatch):
    undisturbed, reports, at_work = by_one_process(REQUESTS, backbone), [], []
    with monkeypatch.context() as patched:
        patched.setattr(workers, "count", 1)
        count = lambda report: at_work.append(sum(each.task is not None for each in workers._workers))  # noqa: E731
        assert timeless(develop(REQUESTS, workers, on_report=count)) == undisturbed
    assert max(at_work) == 1, "though another test may have started a second one"
    two = develop(REQUESTS, workers, run, on_report=reports.append)
    assert timeless(two) == undisturbed and len(workers._workers) == 2
    assert len(list((run.folder / "concepts").glob("*.parquet"))) == 3, "a batch is a part"
    steps = [report.step for report in reports]
    assert steps == sorted(steps) and (steps[-1], reports[-1].steps) == (18, 18)
    assert [event.step for report in reports for event in report.events if event.request.seed == 5] == [0, 2, 4, 6]


def test_a_worker_that_is_killed_in_mid_work_is_replaced_and_its_batch_goes_on(backbone, workers, run, told):
    undisturbed, killed, steps = by_one_process(LONG, backbone), [], []

    def watch(report):
        for event in report.events:
            if event.request.seed == 3:
                steps.append(event.step)
                if event.step == 12 and not killed:
                    end_worker_of(workers, 3)
                    killed.append(True)

    assert timeless(develop(LONG, workers, run, on_report=watch)) == undisturbed
    assert killed and "another one continues its batch from its last boundary" in told[-1]
    assert steps == [*range(0, 25, 4)], "nothing before the last boundary is learned again"


@pytest.mark.slow
def test_a_batch_that_ends_its_worker_each_time_is_one_line_and_others_are_kept(backbone, workers, run, monkeypatch):
    def watch(report):
        if any(event.request.seed == 0 for event in report.events):
            end_worker_of(workers, 0)

    monkeypatch.setattr("evolve.workers.pool.MOST_TRIES", 2)
    line = r"requests 1 to 2 of 4, which are a batch, could not be learned, all others are kept: it ended 2 workers"
    with pytest.raises(WorkerError, match=line):
        develop(LONG, workers, run, on_report=watch)
    assert [each.concept.request.seed for each in run.individuals()] == [2, 3]
    assert timeless(develop(LONG, workers, run)) == by_one_process(LONG, backbone)


@pytest.mark.slow
@pytest.mark.parametrize("with_workers", [False, True])
def test_a_job_that_is_stopped_with_several_batches_at_work_goes_on(backbone, workers, run, with_workers):
    """From a snapshot of each, with workers or without; how it was cut is remembered."""
    requests = [replace(request, settings=replace(SETTINGS, steps=120, segment=4)) for request in REQUESTS[:4]]
    undisturbed = by_one_process(requests, backbone)
    wait_for_both(workers)
    job, reached, begins = write_job(run, "seed", {}), dict.fromkeys(range(4), 0), {}

    def stop(report):
        reached.update({event.request.seed: event.step for event in report.events})
        if min(reached.values()) >= 8:
            job.request_stop()

    with pytest.raises(Stopped), job.working():
        learned(job, requests, run, workers, on_report=stop)
    assert not [worker for worker in workers._workers if worker.task], "no worker continues a given-up batch"
    again = job_named(run, job.name)
    done = len(run.individuals()) // 2  # on a busy machine one batch may be done before the other has begun
    assert len(again.kept()) == 2 - done > 0 and again.conduct() == Conduct(2, 1)

    def watch(report):
        for event in report.events:
            begins.setdefault(event.request.seed, event.step)

    concepts = learned(again, requests, run, workers if with_workers else backbone, on_report=watch)
    assert timeless(concepts) == undisturbed and again.kept() == []
    assert min(begins.values()) >= 8, "none begins again"


def test_drawings_and_what_people_decide_are_as_with_one_process(backbone, workers, run, monkeypatch):
    requests = LONG[:3]

    def steered(run, learner):
        job, events = write_job(run, "seed", {}), []
        job.steer(1, Decision(("table",)))
        job.steer(2, Decision(("sofa",)))
        review = lambda proposal: Decision(("chair",)) if (proposal.request.seed, proposal.step) == (0, 8) else None  # noqa: E731
        options = Options(review=review, drafts=(3, 8), at_once=2)
        report = lambda report: events.extend(report.events)  # noqa: E731
        concepts = learned(job, requests, run, learner, options, on_report=report)
        assert job.pending() == []
        looks = [(look.number, look.step, look.negatives, look.image and look.image.name) for look in job.looks()]
        return timeless(concepts), looks, sorted((e.request.seed, e.step, e.note, e.draft) for e in events)

    alone = steered(run, backbone)
    assert steered(Run.create(run.folder.parent / "other", "pet", backbone), workers) == alone
    words = [[negative.word for negative in concept.negatives] for concept in alone[0]]
    assert "chair" in words[0] and "table" in words[1] and "sofa" in words[2]
    assert {(number, step) for number, step, _, image in alone[1] if image} == {
        (n, s) for n in range(3) for s in (3, 8)
    }


def test_a_decision_is_forgotten_with_the_snapshot_of_its_own_batch_only(backbone, workers, run):
    """Killed before that is kept, it is followed again."""
    job = write_job(run, "seed", {})
    job.steer(3, Decision(("table",)))
    keep = type(job).keep
    kept_of_others = []

    def kept(self, snapshot, of):
        from core.snapshot import ids_of, marks_of

        if marks_of(snapshot):
            kept_of_others.append(ids_of(snapshot))
        keep(self, snapshot, of)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(job), "keep", kept)
        concepts = learned(job, LONG, run, workers)
    assert "table" in [negative.word for negative in concepts[3].negatives]
    (ids,) = kept_of_others
    assert len(ids) == 2, "the batch of the third and fourth"


def test_nobody_outside_this_machine_or_without_the_token_reaches_the_workers(workers):
    import ray

    (address,) = {node["NodeManagerAddress"] for node in ray.nodes()}
    assert address == "127.0.0.1"
    processes = psutil.Process().children(recursive=True)
    listening = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening and listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    gcs = ray.get_runtime_context().gcs_address
    assert _answer(gcs, {**os.environ, "RAY_AUTH_MODE": "disabled"}) == "refused"
    assert _answer(gcs, {**os.environ, "RAY_AUTH_TOKEN": "another" * 8}) == "refused"
    assert _answer(gcs, os.environ) == "open"


def test_who_cannot_be_made_again_by_a_worker_is_refused(backbone, workers):
    with pytest.raises(
        ConceptreeError, match="the namer 'canned' is in this process alone, and workers cannot make one"
    ):
        develop(REQUESTS, workers, options=Options(namer=canned_namer(["dog"])))
    with pytest.raises(RequestError, match="at_once = -1"):
        develop(REQUESTS, workers, options=Options(at_once=-1))


@pytest.mark.parametrize(
    ("address", "env", "line"),
    [
        ("ray://host:10001", {}, "give HOST:PORT of a cluster of Ray, as in 10.0.0.5:6379"),
        ("127.0.0.1:9", {}, "--address needs token authentication: set RAY_AUTH_MODE=token"),
        ("127.0.0.1:9", {"RAY_AUTH_MODE": "token"}, "--address needs token authentication"),
        ("127.0.0.1:9", {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "t"}, "no cluster of Ray answers at 127.0.0.1:9"),
    ],
)
def test_a_cluster_is_joined_with_a_token_or_not_at_all(address, env, line, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WorkerError, match=line):
        Cluster(address, 1, None, None)


def test_a_cluster_that_takes_anybody_is_refused(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "t")
    monkeypatch.setattr("evolve.workers.cluster._answer", lambda address, env: "open")
    with pytest.raises(WorkerError, match="accepts connections without a token: restart it with RAY_AUTH_MODE=token"):
        Cluster("10.0.0.5:6379", 1, None, None)


def test_without_ray_it_is_said_how_to_install_it(backbone, monkeypatch):
    monkeypatch.setattr("evolve.workers.cluster.importlib.util.find_spec", lambda name: None)
    with pytest.raises(WorkerError, match=r"not installed: pip install 'conceptree\[ray\]'"):
        Workers(backbone)


def test_what_a_killed_process_has_left_is_removed_by_the_next():
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, kept = (Path(f"/tmp/conceptree-{pid}-test") for pid in (ended.pid, os.getpid()))
    for folder in (left, kept):
        (folder / "session").mkdir(parents=True)
    own = Path(_own_folder())
    assert own.is_dir() and kept.is_dir() and not left.exists()
    for folder in (own, kept):
        shutil.rmtree(folder)


@pytest.mark.parametrize("how", [{"count": 0}, {"threads": 0}, {"at_once": True}])
def test_numbers_of_workers_are_checked(backbone, how):
    with pytest.raises(WorkerError, match="expected a whole number of at least 1"):
        Workers(backbone, **how)
