"""What tests need from inside a part, and users have no door to: one file for each room, so that a move changes one line here."""

#: Places that single tests replace.
TELLING_PAIRS = "alliance_longitudinal.reporting.batch.run.telling_pairs"
KERNEL_MANAGER = "alliance_longitudinal.reporting.run.kernel.kernel_manager_class"
DOCTOR_SHOWN = "alliance_longitudinal.cli.doctor._SHOWN"
DOCTOR_ROOM = "alliance_longitudinal.cli.doctor._ROOM"
PREDICTION_BOOTSTRAP = "alliance_longitudinal.engine.diagnostics.prediction_intervals.bootstrap"
MANY_LEAVES = "alliance_longitudinal.engine.statistics.nested.MANY_LEAVES"
SHIPPED_SCHEMAS = "alliance_longitudinal.data.study_file.json_schemas.shipped"
FIT_FIRST = "alliance_longitudinal.analyses.kit.draft.fit_first"
PARTITION_TESTS = "alliance_longitudinal.analyses.variance_partition.tests"
SIMULATED_SEARCH = "alliance_longitudinal.engine.inference.simulated.careful"
POWER_GROUPS = "alliance_longitudinal.engine.inference.variance_power.MOST_GROUPS"
DELTA_EFFECTS = "alliance_longitudinal.methods.missing.tipping.delta_effects"
#: Fits the random-intercept cross-lagged panel model.
CROSS_LAGGED = "alliance_longitudinal.methods.panel.riclpm._fitted"
