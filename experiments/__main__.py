"""`python -m experiments NAME`: conducts one of the paper's experiments."""

from experiments.commands import experiment

if __name__ == "__main__":
    experiment(prog_name="python -m experiments")
