"""Prints what Aim's own queries find in the repository argv[1], as JSON."""

import json
import sys

import aim

repo = aim.Repo(sys.argv[1])
found = {}
for listed in repo.query_runs("").iter_runs():
    run = listed.run
    found[run.hash] = {
        "name": run.name, "description": run.description, "experiment": run.experiment,
        "tags": run.tags, "archived": run.archived, "created": run.creation_time,
        "end_time": run.end_time, "params": run[...], "metrics": [], "objects": {},
        "notes": [note["content"] for note in run.props.notes],
    }  # fmt: skip
queries = {
    "text": repo.query_texts, "image": repo.query_images, "audio": repo.query_audios,
    "figure": repo.query_figure_objects, "distribution": repo.query_distributions,
}  # fmt: skip
for metrics in repo.query_metrics("").iter_runs():
    for metric in metrics:
        steps, (values, epochs, times) = metric.data.items_list()
        told = {"name": metric.name, "context": metric.context.to_dict(), "values": list(values)}
        told |= {"steps": list(steps), "times": list(times)}
        found[metric.run.hash]["metrics"].append(told)
for kind, query in queries.items():
    for sequences in query("").iter_runs():
        for sequence in sequences:
            found[sequence.run.hash]["objects"].setdefault(kind, []).append(sequence.name)
for run_hash, told in found.items():
    logs = repo.get_run(run_hash).get_terminal_logs()
    told["logs"] = [] if logs is None else [line.data for _, (line, *_) in logs.data.items()]
print(json.dumps(found, default=str))
