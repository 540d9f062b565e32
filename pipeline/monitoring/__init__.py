"""Monitoring: how often, how long, how it stands; traces of the work. None of it holds text of a patient.

    tally       durations and pages, counted by who works and added to the ledger every few seconds
    tracing     spans of the work on a submission, exported where the settings name a collector
    metrics     the ledger's figures in the words of Prometheus
    server      /metrics and /health, for who watches

Nothing of the work depends on it: what goes wrong here is logged and passed over.
"""
