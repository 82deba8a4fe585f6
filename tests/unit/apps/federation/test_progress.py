from apps.federation.michigan_answers import progress
from apps.federation.protocol import ExternalState, Message, MessageKind, Step

NAMES = ("Input Validation", "Quality Control", "Phasing and Imputation", "Summary")


def steps(*texts: list[str]) -> tuple[Step, ...]:
    return tuple(
        Step(name=name, messages=tuple(Message(kind=MessageKind.OK, text=t) for t in lines))
        for name, lines in zip(NAMES, [*texts, *([[]] * 4)], strict=False)
    )


def test_progress_never_falls_while_lines_are_added_and_counted_up():
    third = [
        [f"{word} ({k}/{n})"]
        for word, n in (("Phasing with Eagle", 4), ("Imputation", 7), ("Compression", 1))
        for k in range(n + 1)
    ]
    life = [
        steps(),
        steps(["1 valid VCF file(s) found."]),
        steps(["ok"], ["Reference Overlap: 94.84 %"]),
        *(steps(["ok"], ["ok"], line) for line in third),
        steps(["ok"], ["ok"], ["Compression and Encryption (1/1)"], ["exported"]),
    ]

    reached = [progress(state=ExternalState.RUNNING, steps=now) for now in life]
    reached.append(progress(state=ExternalState.EXPORTING, steps=life[-1]))
    reached.append(progress(state=ExternalState.SUCCEEDED, steps=life[-1]))

    assert reached == sorted(reached)
    assert len(set(reached)) > 12
    assert reached[-1] == 100
    assert max(reached[:-1]) < 100


def test_imputation_alone_goes_from_its_start_to_its_end():
    def at(line: str) -> int:
        return progress(state=ExternalState.RUNNING, steps=steps(["ok"], ["ok"], [line]))

    assert at("Imputation (0/4)") < at("Imputation (2/4)") < at("Imputation (4/4)")


def test_a_count_that_makes_no_sense_is_no_progress():
    def at(line: str) -> int:
        return progress(state=ExternalState.RUNNING, steps=steps([line]))

    nothing = at("ok")
    for line in ("Imputation (5/4)", "Imputation (1/0)", "Imputation (x/4)", "Chunk (3/4)"):
        assert at(line) == nothing


def test_a_failed_job_keeps_how_far_it_came():
    assert 0 < progress(state=ExternalState.FAILED, steps=steps(["ok"], ["no"])) < 100
