"""The engine of the scoring job. What a caller needs, and nothing else of this package:

    from forecast.scoring.request import Bounds, Gates, Inputs, Policies, Rules, ScoreReport, ScoreRequest, Staleness
    from forecast.scoring.job import Surroundings, exit_code_of, run_score
    from forecast.scoring.events import stream_logger
    from forecast.scoring.stopping import Terminated

    inputs = Inputs(source, frequency, roles, known_future=future_source, static=static_source)  # cutoff=... for integer time
    request = ScoreRequest(output, run_date, inputs, model_source, resolved_yaml_text, code_version, rules, shard_series=4096)
    report = run_score(request, Surroundings(logger=stream_logger(sys.stderr), metrics_file=path_or_none))
    print(report.summary(), report.place)

`run_score` returns when the result is published, by this run or by an earlier one (`report.published` says which). It raises a
ForecastError with its `exit_code` when nothing was published, and Terminated (a BaseException, exit code 143) after SIGTERM, for
which it installs a handler while it runs in the main thread. `exit_code_of(error)` gives the code of any of them. The resolved
configuration text belongs to the run's key: leave out of it what cannot change the output (shard size, metrics file, log level), or
a change of these publishes again. The forecaster must be fitted; `predict` gets at most 256 series at a time, in the order of ids.
"""
