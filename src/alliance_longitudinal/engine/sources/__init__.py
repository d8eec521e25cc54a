"""Where rows come from that are not in memory: Parquet, Dask, a file of spilled sums."""
