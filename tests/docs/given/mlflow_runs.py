"""`./runs.db`: three runs that MLflow's own client logged."""

import logging
import os
import random
import sys
import uuid
from pathlib import Path

os.environ["GIT_PYTHON_REFRESH"] = "quiet"
logging.disable(logging.WARNING)

import mlflow  # noqa: E402

from runferry.writers.mlflow.created import create_database  # noqa: E402

sys.argv = ["train.py"]  # what MLflow notes as the source
chance = random.Random(7)
uuid.uuid4 = lambda: uuid.UUID(int=chance.getrandbits(128), version=4)  # the same ids each time
create_database(Path("runs.db"))  # by MLflow's own migrations, which tests run once
mlflow.set_tracking_uri("sqlite:///runs.db")
mlflow.set_experiment("churn")
for number, rate in enumerate((0.3, 0.1, 0.03)):
    with mlflow.start_run(run_name=f"boost-{number}", tags={"team": "growth"}):
        mlflow.log_params({"learning_rate": rate, "max_depth": 6})
        for step in range(50):
            mlflow.log_metrics(
                {"auc": 1 - 0.5 / (1 + step * rate), "logloss": 1 / (1 + step)}, step=step
            )
        mlflow.log_text("customer,churn\n1,0\n", "predictions.csv")
