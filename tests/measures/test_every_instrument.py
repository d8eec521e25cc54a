"""The whole registry against the fact sheet, typed by hand, and against rules that hold for every instrument."""

import re

import numpy as np
import pytest
from ruamel.yaml import YAML

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.measures import describe_instrument, load_instruments, score
from alliance_longitudinal.resources import shipped
from inside.measures_instrument_file import InstrumentFile

FILES = sorted((shipped("data_schema") / "instruments").glob("*.yaml"))
REGISTRY = load_instruments()
WAI_REVERSE = (1, 3, 7, 9, 10, 11, 12, 15, 20, 27, 29, 31, 33, 34)
ECR_R_REVERSE = (9, 11, 20, 22, 26, 27, 28, 29, 30, 31, 33, 34, 35, 36)

#: id: status, items, item range, reversed, total rule, range of the total. None = the fact sheet gives none.
FACT_SHEET = {
    "wai_36": ("check", 36, (1, 7), WAI_REVERSE, "sum", (36, 252)),
    "wai_s": ("check", 12, (1, 7), (4, 10), "sum", (12, 84)),
    "wai_sr": ("verified", 12, (1, 5), (), "sum", (12, 60)),
    "wai_sr_t": ("incomplete", 12, (1, 5), (), "unknown", None),
    "wai_srt_10": ("incomplete", 10, (None, None), None, "unknown", None),
    "wai_o": ("check", 36, (1, 7), WAI_REVERSE, "sum", (36, 252)),
    "calpas_24": ("incomplete", 24, (1, 7), None, "mean", (1, 7)),
    "caltars": ("incomplete", 41, (0, 5), None, "unknown", None),
    "tars_marziali": ("incomplete", 42, (0, 5), None, "unknown", None),
    "vpps": ("incomplete", 80, (1, 5), None, "unknown", None),
    "vtas": ("incomplete", 44, (0, 5), None, "unknown", None),
    "vtas_r_sf": ("check", 5, (0, 5), (), "mean", (0, 5)),
    "tbs": ("incomplete", 50, (None, None), None, "unknown", None),
    "haq_ii": ("check", 19, (1, 6), (4, 8, 11, 16, 19), "sum", (19, 114)),
    "haq_i": ("check", 11, (1, 4), (), "unknown", None),
    "arm_5": ("check", 5, (1, 7), (3,), "mean", (1, 7)),
    "arm_12": ("incomplete", 12, (1, 7), None, "mean", (1, 7)),
    "arm_28": ("incomplete", 28, (1, 7), None, "unknown", None),
    "srs": ("verified", 4, (0, 10), (), "sum", (0, 40)),
    "br_wai": ("incomplete", 16, (1, 7), None, "unknown", None),
    "sai_6": ("incomplete", 6, (None, None), (), "unknown", None),
    "tasc_r": ("check", 12, (1, 4), (2, 5, 7, 8, 11), "sum", (12, 48)),
    "tasa": ("incomplete", None, (None, None), None, "unknown", None),
    "softa_o": ("verified", 4, (-3, 3), (), "none", None),
    "softa_s": ("incomplete", 16, (1, 5), None, "unknown", None),
    "ctas_ftas_itas": ("incomplete", None, (1, 7), None, "unknown", None),
    "gcq_s": ("verified", 12, (0, 6), (), "none", None),
    "gq_30": ("incomplete", 30, (1, 7), None, "unknown", None),
    "phq_9": ("check", 9, (0, 3), (), "sum", (0, 27)),
    "gad_7": ("check", 7, (0, 3), (), "sum", (0, 21)),
    "bdi_ii": ("check", 21, (0, 3), (), "sum", (0, 63)),
    "bai": ("check", 21, (0, 3), (), "sum", (0, 63)),
    "oq_45_2": ("check", 45, (0, 4), (1, 12, 13, 20, 21, 24, 31, 37, 43), "sum", (0, 180)),
    "y_oq_2_01": ("incomplete", 64, (0, 4), None, "sum", (-16, 240)),
    "y_oq_sr": ("incomplete", 64, (None, None), None, "sum", (-16, 240)),
    "core_om": ("check", 34, (0, 4), (3, 4, 7, 12, 19, 21, 31, 32), "mean", (0, 4)),
    "core_10": ("check", 10, (0, 4), (2, 3), "mean_x10", (0, 40)),
    "yp_core": ("verified", 10, (0, 4), (3, 5, 10), "mean_x10", (0, 40)),
    "scl_90_r": ("check", 90, (0, 4), (), "mean", (0, 4)),
    "bsi_18": ("check", 18, (0, 4), (), "sum", (0, 72)),
    "hrsd_17": ("check", 17, (0, 4), (), "sum", (0, 52)),
    "dass_21": ("verified", 21, (0, 3), (), "none", None),
    "ors": ("check", 4, (0, 10), (), "sum", (0, 40)),
    "pcl_5": ("verified", 20, (0, 4), (), "sum", (0, 80)),
    "wsas": ("check", 5, (0, 8), (), "sum", (0, 40)),
    "ecr_r": ("check", 36, (1, 7), ECR_R_REVERSE, "none", None),
    "ecr_s_wei": ("check", 12, (1, 7), (1, 5, 8, 9), "none", None),
    "ecr_12_lafontaine": ("incomplete", 12, (1, 7), None, "unknown", None),
    "ecr_rs": ("verified", 9, (1, 7), (1, 2, 3, 4), "none", None),
    "asq_40": ("check", 40, (1, 6), (20, 21, 33), "none", None),
    "blri_os_40": ("incomplete", 40, (-3, 3), None, "sum", (-120, 120)),
    "tes_observer": ("check", 9, (1, 7), (), "mean", (1, 7)),
    "es_burns": ("incomplete", 10, (0, 3), None, "unknown", None),
    "care": ("verified", 10, (1, 5), (), "sum", (10, 50)),
    "crf_s": ("incomplete", 12, (1, 7), (), "sum", (12, 84)),
    "rses": ("verified", 10, (0, 3), (2, 5, 6, 8, 9), "sum", (0, 30)),
    "rses_w": ("verified", 10, (0, 3), (3, 5, 8, 9, 10), "sum", (0, 30)),
    "ceq": ("check", 6, (1, 9), (), "none", None),
    "rri_c": ("incomplete", 24, (1, 5), None, "unknown", None),
    "rri_c_sf": ("incomplete", 8, (1, 5), None, "unknown", None),
}
#: Scales that the fact sheet lists with their items: id: scale: items (an int = the sheet's count).
SCALES = {
    "wai_36": {"task": 12, "bond": 12, "goal": 12},
    "wai_s": {"task": (1, 2, 8, 12), "bond": (3, 5, 7, 9), "goal": (4, 6, 10, 11)},
    "wai_sr": {"task": (1, 2, 10, 12), "bond": (3, 5, 7, 9), "goal": (4, 6, 8, 11)},
    "softa_o": {"engagement": (1,), "emotional_connection": (2,), "safety": (3,), "shared_purpose": (4,)},
    "gcq_s": {"engaged": (1, 2, 4, 8, 11), "avoiding": (3, 5, 9), "conflict": (6, 7, 10, 12)},
    "oq_45_2": {"symptom_distress": 25, "interpersonal_relations": 11, "social_role": 9},
    "core_om": {
        "wellbeing": (4, 14, 17, 31),
        "problems": (2, 5, 8, 11, 13, 15, 18, 20, 23, 27, 28, 30),
        "functioning": (1, 3, 7, 10, 12, 19, 21, 25, 26, 29, 32, 33),
        "risk": (6, 9, 16, 22, 24, 34),
    },
    "scl_90_r": {
        "somatization": 12, "obsessive_compulsive": 10, "interpersonal_sensitivity": 9, "depression": 13,
        "anxiety": 10, "hostility": 6, "phobic_anxiety": 7, "paranoid_ideation": 6, "psychoticism": 10,
        "additional": 7,
    },
    "bsi_18": {
        "somatization": (1, 4, 7, 10, 13, 16), "depression": (2, 5, 8, 11, 14, 17), "anxiety": (3, 6, 9, 12, 15, 18),
    },
    "dass_21": {
        "depression": (3, 5, 10, 13, 16, 17, 21),
        "anxiety": (2, 4, 7, 9, 15, 19, 20),
        "stress": (1, 6, 8, 11, 12, 14, 18),
    },
    "pcl_5": {"cluster_b": (1, 2, 3, 4, 5), "cluster_c": (6, 7), "cluster_d": 7, "cluster_e": 6},
    "ecr_r": {"anxiety": tuple(range(1, 19)), "avoidance": tuple(range(19, 37))},
    "ecr_s_wei": {"avoidance": (1, 3, 5, 7, 9, 11), "anxiety": (2, 4, 6, 8, 10, 12)},
    "ecr_rs": {"avoidance": (1, 2, 3, 4, 5, 6), "anxiety": (7, 8, 9)},
    "asq_40": {
        "confidence": (1, 2, 3, 19, 31, 33, 37, 38),
        "discomfort": (4, 5, 16, 17, 20, 21, 23, 25, 26, 34),
        "relationships_secondary": (6, 7, 8, 9, 10, 14, 36),
        "need_for_approval": (11, 12, 13, 15, 24, 27, 35),
        "preoccupation": (18, 22, 28, 29, 30, 32, 39, 40),
    },
    "ceq": {"credibility": (1, 2, 3), "expectancy": (4, 5, 6)},
}  # fmt: skip
#: Cut-offs: id: (scale, operator, value); None = no operator on the fact sheet.
CUTOFFS = {
    "srs": [("total", "<", 36)],
    "phq_9": [("total", ">=", 10)],
    "gad_7": [("total", ">=", 8)],
    "oq_45_2": [
        ("total", ">=", 63), ("symptom_distress", ">=", 36), ("interpersonal_relations", ">=", 15),
        ("social_role", ">=", 12),
    ],
    "y_oq_2_01": [
        ("total", ">=", 46), ("intrapersonal", ">=", 16), ("somatic", ">=", 5), ("interpersonal", ">=", 4),
    ],
    "y_oq_sr": [("total", ">=", 47)],
    "core_om": [("clinical_score", ">=", 10)],
    "core_10": [("total", ">=", 11)],
    "scl_90_r": [("total", ">=", 63)],
    "bsi_18": [("total", ">=", 63)],
    "hrsd_17": [("total", "<=", 7)],
    "ors": [("total", None, 25), ("total", None, 28), ("total", None, 32)],
    "pcl_5": [("total", ">=", 31), ("total", ">=", 33), ("total", "<=", 28)],
}  # fmt: skip
CHANGES = {
    "phq_9": [6], "gad_7": [4], "oq_45_2": [14, 10, 8, 7], "y_oq_2_01": [13], "y_oq_sr": [18], "core_om": [5],
    "core_10": [6], "ors": [5], "pcl_5": [15, 18], "wsas": [8],
}  # fmt: skip
#: Where the fact sheet says whether exactly so many points are reliable.
CHANGE_OPERATORS = {"phq_9": ">=", "gad_7": ">=", "oq_45_2": ">=", "pcl_5": ">="}
MISSING = {
    "srs": ("complete_only", 0), "gcq_s": ("mean_of_answered", 4), "phq_9": ("mean_of_answered", 2),
    "oq_45_2": ("subscale_mean_rounded", None), "core_om": ("mean_of_answered", 3),
    "core_10": ("mean_of_answered", 1), "yp_core": ("mean_of_answered", 1), "ors": ("complete_only", 0),
    "care": ("mean_of_answered", 2),
}  # fmt: skip
NOT_CLIENTS = {
    "wai_36": {"client", "therapist", "observer"}, "wai_s": {"client", "therapist"}, "wai_sr_t": {"therapist"},
    "wai_srt_10": {"therapist"}, "wai_o": {"observer"}, "calpas_24": {"client", "therapist", "observer"},
    "caltars": {"observer"}, "tars_marziali": {"observer", "client", "therapist"}, "vpps": {"observer"},
    "vtas": {"observer"}, "vtas_r_sf": {"observer"}, "haq_ii": {"client", "therapist"},
    "haq_i": {"client", "therapist"}, "arm_5": {"client", "therapist"}, "arm_12": {"client", "therapist"},
    "arm_28": {"client", "therapist"}, "tasc_r": {"child", "therapist", "caregiver"},
    "tasa": {"adolescent", "therapist"}, "softa_o": {"observer"}, "softa_s": {"client", "therapist"},
    "y_oq_2_01": {"caregiver"}, "y_oq_sr": {"adolescent"}, "yp_core": {"adolescent"}, "hrsd_17": {"clinician"},
    "ors": {"client", "caregiver"}, "blri_os_40": {"client", "therapist"}, "tes_observer": {"observer"},
}  # fmt: skip
HIGHER_WORSE = {
    "phq_9", "gad_7", "bdi_ii", "bai", "oq_45_2", "y_oq_2_01", "y_oq_sr", "core_om", "core_10", "yp_core",
    "scl_90_r", "bsi_18", "hrsd_17", "dass_21", "pcl_5", "wsas", "ecr_r", "ecr_s_wei", "ecr_12_lafontaine",
    "ecr_rs",
}  # fmt: skip
NO_DIRECTION = {"caltars", "tars_marziali", "vpps", "vtas", "gq_30", "asq_40"}

every = pytest.mark.parametrize("instrument", REGISTRY.values(), ids=REGISTRY)
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_the_registry_is_the_fact_sheet():
    found = {
        i.id: (i.status, i.n_items, (i.response_min, i.response_max), i.reverse, i.total_rule, i.total_range)
        for i in REGISTRY.values()
    }
    assert found == FACT_SHEET


def test_scales_are_those_of_the_fact_sheet():
    found = {
        i.id: {
            name: len(items) if isinstance(SCALES.get(i.id, {}).get(name), int) else items
            for name, items in i.subscales.items()
        }
        for i in REGISTRY.values()
        if i.subscales
    }
    assert found == SCALES
    sizes = {
        i.id: dict(i.unlisted_subscales) for i in REGISTRY.values() if any(i.unlisted_subscales.values())
    }
    assert {name: [*counts.values()] for name, counts in sizes.items()} == {
        "calpas_24": [6] * 4, "arm_12": [3] * 4, "br_wai": [8, 8], "softa_s": [4] * 4, "gq_30": [13, 8, 9],
        "blri_os_40": [10] * 4, "crf_s": [4] * 3, "rri_c": [12, 12], "rri_c_sf": [4, 4],
    }  # fmt: skip


def test_cutoffs_changes_rules_raters_and_directions_are_those_of_the_fact_sheet():
    every = REGISTRY.values()
    assert {i.id: [(c.scale, c.operator, c.value) for c in i.cutoffs] for i in every if i.cutoffs} == CUTOFFS
    assert {i.id: [c.points for c in i.reliable_changes] for i in every if i.reliable_changes} == CHANGES
    assert {i.id: {c.operator for c in i.reliable_changes} for i in every if i.reliable_changes} == {
        name: {CHANGE_OPERATORS.get(name)} for name in CHANGES
    }
    rules = {i.id: (i.missing.how, i.missing.max_missing) for i in every}
    assert rules == dict.fromkeys(REGISTRY, ("unknown", None)) | MISSING
    assert {i.id: set(i.raters) for i in every} == {name: {"client"} for name in REGISTRY} | NOT_CLIENTS
    directions = dict.fromkeys(REGISTRY, "higher_better") | dict.fromkeys(HIGHER_WORSE, "higher_worse")
    directions |= dict.fromkeys(NO_DIRECTION, "unknown") | {"gcq_s": "by_scale"}
    assert {i.id: i.direction for i in every} == directions
    assert REGISTRY["gcq_s"].scale_directions == {
        "engaged": "higher_better", "avoiding": "higher_worse", "conflict": "higher_worse",
    }  # fmt: skip
    assert {i.id for i in every for c in i.cutoffs if c.metric == "t_score"} == {"scl_90_r", "bsi_18"}


def test_bands_and_important_changes_are_those_of_the_fact_sheet():
    assert {i.id: [*i.bands.values()] for i in REGISTRY.values() if i.bands} == {
        "phq_9": [5, 10, 15, 20], "gad_7": [5, 10, 15], "bdi_ii": [0, 14, 20, 29], "bai": [0, 8, 16, 26],
        "core_10": [6, 11, 15, 20, 25], "hrsd_17": [8, 14, 19, 23], "wsas": [10, 20],
    }  # fmt: skip
    assert {name: [*bands.values()] for name, bands in REGISTRY["dass_21"].scale_bands.items()} == {
        "depression": [10, 14, 21, 28], "anxiety": [8, 10, 15, 20], "stress": [15, 19, 26, 34],
    }  # fmt: skip
    changes = {
        i.id: [c.points or f"{c.percent_of_baseline:g} %" for c in i.important_changes]
        for i in REGISTRY.values()
        if i.important_changes
    }
    assert changes == {"phq_9": [5], "bdi_ii": ["17.5 %", "32 %"], "hrsd_17": ["50 %"], "pcl_5": [9, 12]}


def test_reliable_change_of_the_core_om_follows_from_what_it_was_computed_from():
    change = REGISTRY["core_om"].reliable_change or REGISTRY["core_om"].reliable_changes[0]
    points = change.z * change.sd * np.sqrt(2 * (1 - change.reliability))
    assert points == pytest.approx(0.509223, abs=5e-7)
    assert change.points == pytest.approx(10 * points, abs=0.1)  # the clinical score is ten times the mean
    assert (change.reliability_kind, change.scale) == ("alpha", "clinical_score")


@every_file
def test_file_is_named_after_its_id(path):
    assert REGISTRY[path.stem].id == path.stem


def test_ids_and_labels_are_unique():
    assert len(FILES) == len(REGISTRY) == len({i.label for i in REGISTRY.values()}) == 60


@every
def test_items_belong_to_the_form_and_partitions_cover_it(instrument):
    if instrument.n_items is not None:
        form = set(range(1, instrument.n_items + 1))
        lists = [*instrument.subscales.values(), instrument.reverse or (), instrument.safety_items]
        assert all(set(items) <= form and len(set(items)) == len(items) for items in lists)
        covered = sorted(item for items in instrument.subscales.values() for item in items)
        assert not instrument.partition or covered == sorted(form)
    assert instrument.partition == (instrument.id in SCALES)


@every
def test_lowest_and_highest_form_score_the_ends_of_the_range(instrument):
    """By scoring itself, not by the formula of the file's check."""
    if instrument.status == "incomplete" or instrument.total_rule == "unknown":
        with pytest.raises(StudyError, match=re.escape(f"{instrument.label}: ")):
            score(np.ones((1, instrument.n_items or 1)), instrument)
        return
    numbers = range(1, instrument.n_items + 1)
    low, high = np.array([instrument.item_range(number) for number in numbers]).T
    turned = np.isin([*numbers], instrument.reverse)
    forms = np.array([np.where(turned, high, low), np.where(turned, low, high)])
    scores = score(forms, instrument)
    if instrument.total_range is None:
        assert np.isnan(scores.total).all()
    else:
        np.testing.assert_allclose(scores.total, instrument.total_range, rtol=1e-12)
    assert not scores.unscored.any()
    assert all((values[1] > values[0]) for values in scores.subscales.values())


@every
def test_every_fact_has_evidence_and_every_mark_a_source(instrument):
    needed = {"items", "response range", "reverse key", "total", "direction", "missing-item rule"}
    assert needed <= set(instrument.evidence)
    for fact, marks in instrument.evidence.items():
        assert marks, fact
        assert set(marks) <= {*instrument.sources, "memory", "unknown", "computed"}, fact
    assert all(len(address) > 10 for address in instrument.sources.values())


@every
def test_status_agrees_with_the_evidence(instrument):
    """As the fact sheet defines it; what is absent (no reversal, no total) cannot be cited and may be memory."""
    critical = {
        fact: instrument.evidence[fact] for fact in ("items", "response range", "reverse key", "total")
    }
    if instrument.status == "verified":
        if instrument.reverse == ():
            del critical["reverse key"]
        if instrument.total_rule == "none":
            del critical["total"]
        assert not [fact for fact, marks in critical.items() if {"memory", "unknown"} & set(marks)]
    elif instrument.status == "check":
        assert instrument.facts_marked("memory")
        # HAq-I has no rule for a total on the fact sheet, which says 'check' all the same.
        unknown = [fact for fact, marks in critical.items() if "unknown" in marks]
        assert unknown == (["total"] if instrument.id == "haq_i" else [])
    else:
        scales = [fact for fact in instrument.facts_marked("unknown") if fact.startswith("subscale")]
        assert scales or any("unknown" in marks for marks in critical.values())


#: Item texts speak in the first person, ask, or are long lists; labels, answers' ends and notes do none of it.
FIRST_PERSON = re.compile(r"(?<![-\w])(I|I'm|I've|my|me|myself)\b(?!\))")


@every_file
def test_no_item_texts(path):
    """No key of the format takes item texts; what is free text is short, asks nothing and says no 'I' or 'my'."""
    text = path.read_text(encoding="utf-8")
    assert not FIRST_PERSON.search(text)
    data = YAML(typ="safe", pure=True).load(text)
    assert set(data["items"]) == {"count", "evidence"}
    longest = {"label": 20, "name": 100, "notes": 260, "citations": 160, "answers": 60}
    for key, strings in (*_free_texts(data), ("answers", [data["response"].get("answers", "")])):
        for string in strings:
            assert "?" not in string
            assert len(string) <= longest.get(key, 80), (key, string)


def _free_texts(data):
    yield from ((key, [data[key]]) for key in ("label", "name"))
    yield from ((key, data.get(key, [])) for key in ("notes", "citations"))
    for key in ("cutoffs", "reliable_change", "important_change", "reliability"):
        yield key, [v for fact in data.get(key, []) for v in fact.values() if isinstance(v, str)]


def test_the_guard_against_item_texts_can_fail():
    assert FIRST_PERSON.search("  - I feel at ease with my therapist")
    assert not FIRST_PERSON.search("HAq-I is not HAq-II; BDI-I neither")


@every
def test_description_shows_every_fact_source_and_note(instrument):
    lines = describe_instrument(instrument)
    flat = " ".join(" ".join(lines).split())
    for text in (instrument.label, instrument.id, instrument.name, *instrument.notes, *instrument.citations):
        assert text in flat
    assert all(f"{key:<5} {address}" in "\n".join(lines) for key, address in instrument.sources.items())
    for items in (*instrument.subscales.values(), instrument.reverse or ()):
        assert ", ".join(map(str, items)) in flat
    used = {mark for marks in instrument.evidence.values() for mark in marks if mark in instrument.sources}
    in_brackets = {key for found in re.findall(r"\[([^\]]*)\]", flat) for key in re.findall(r"S\d+", found)}
    assert used <= in_brackets
    assert not [line for line in lines if line != line.rstrip()]


def test_traps_are_told_on_both_sides():
    notes = {i.id: " ".join(i.notes) for i in REGISTRY.values()}
    assert "WAI-S is not WAI-SR" in notes["wai_s"]
    assert "WAI-SR is not WAI-S" in notes["wai_sr"]
    assert "HAq-I is not HAq-II" in notes["haq_i"]
    assert "HAq-II is not HAq-I" in notes["haq_ii"]
    assert "RSES is not RSES-W" in notes["rses"]
    assert "RSES-W is not RSES" in notes["rses_w"]
    assert "RRI-C is not RRI-C-SF" in notes["rri_c"]
    assert "RRI-C-SF is not RRI-C" in notes["rri_c_sf"]
    assert "es_burns" in notes["tes_observer"]
    assert "tes_observer" in notes["es_burns"]
    for name in ("oq_45_2", "core_om", "core_10", "yp_core"):
        assert "must not be reversed again" in notes[name]


def test_model_names_the_facts_of_the_format():
    """A new block of facts has to enter ``facts``, or its evidence would be lost."""
    blocks = {
        name for name, field in InstrumentFile.model_fields.items() if "Fact" in _bases(field.annotation)
    }
    assert blocks == {
        "items", "response", "reverse", "recode", "subscales", "subscale_rule", "derived", "total", "direction",
        "missing", "cutoffs", "reliable_change", "important_change", "reliability", "bands", "scale_bands",
        "safety_items",
    }  # fmt: skip


def _bases(annotation):
    found = {base.__name__ for base in getattr(annotation, "__mro__", ())}
    for inner in getattr(annotation, "__args__", ()):
        found |= _bases(inner)
    return found
