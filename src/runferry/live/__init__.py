"""Live: mirrors a run to other trackers while it trains.

    hook ▶ journal ──▶ follower ▶ replicas ▶ archive ▶ a push for each destination
    └ training process ┘ └ delivery process ──────────────────────────────────────┘

`hooks`, `journal`, `frames`, `session` and `interfaces` run in the training process, and import
nothing beyond the standard library, our native module and the SDK that is there already. All else
runs in another.
"""
