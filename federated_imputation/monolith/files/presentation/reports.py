"""The report of a check as the API describes it: `apps.genotypes.check.report`, field by field."""

from typing import Any

from rest_framework import serializers

from apps.genotypes.check.facts import FileFormat
from apps.genotypes.check.report import Accepted, Severity

__all__ = ["FactsOutput", "FindingOutput", "PanelCheckOutput"]


class FindingOutput(serializers.Serializer[Any]):
    class FindingExample(serializers.Serializer[Any]):
        line = serializers.IntegerField(allow_null=True)
        text = serializers.CharField()

    rule = serializers.CharField(help_text="Id of the rule, for programs.")
    severity = serializers.ChoiceField(
        choices=[each.value for each in Severity],
        help_text="error: a service refuses the file; warning: it leaves something out.",
    )
    message = serializers.CharField(help_text="What is wrong.")
    file = serializers.CharField()
    line = serializers.IntegerField(allow_null=True, help_text="Where first; null: nowhere alone.")
    count = serializers.IntegerField(help_text="How often.")
    examples = FindingExample(many=True)
    remedy = serializers.CharField(help_text="What to do.")
    repair = serializers.CharField(allow_null=True, help_text="The repair that mends it.")
    panel = serializers.CharField(
        allow_null=True, help_text="Id of the panel that the rule is of; null: of the file alone."
    )


class FactsOutput(serializers.Serializer[Any]):
    class ChromosomeFacts(serializers.Serializer[Any]):
        name = serializers.CharField(allow_null=True, help_text="Without chr; null: not imputable.")
        spelled = serializers.CharField(help_text="As the file spells it.")
        records = serializers.IntegerField()
        first = serializers.IntegerField()
        last = serializers.IntegerField()

    class QualityFacts(serializers.Serializer[Any]):
        class SampleFacts(serializers.Serializer[Any]):
            sample = serializers.IntegerField(help_text="Its number in the header, from 1.")
            name = serializers.CharField()
            value = serializers.FloatField()

        genotypes = serializers.IntegerField()
        call_rate = serializers.FloatField(allow_null=True)
        sites_low_call_rate = serializers.IntegerField()
        transitions = serializers.IntegerField()
        transversions = serializers.IntegerField()
        ti_tv = serializers.FloatField(allow_null=True)
        heterozygosity = serializers.FloatField(allow_null=True)
        allele_frequencies = serializers.ListField(
            child=serializers.IntegerField(), help_text="Sites by frequency of ALT, 20 bins."
        )
        sample_call_rates = serializers.ListField(
            child=serializers.IntegerField(), help_text="Samples by call rate, 20 bins."
        )
        samples_low_call_rate = SampleFacts(many=True)
        samples_heterozygosity = SampleFacts(many=True)

    format = serializers.ChoiceField(choices=[each.value for each in FileFormat])
    compression = serializers.CharField(help_text="bgzf, gzip, zip or none.")
    size = serializers.IntegerField()
    complete = serializers.BooleanField(help_text="Whether the file was read to its end.")
    version = serializers.CharField(help_text="Of VCF; empty when it is none.")
    samples = serializers.IntegerField(allow_null=True)
    records = serializers.IntegerField()
    chromosomes = ChromosomeFacts(many=True)
    build = serializers.CharField(allow_null=True, help_text="hg19 or hg38, when the file tells.")
    phased = serializers.BooleanField(allow_null=True)
    unphased_records = serializers.IntegerField()
    variants = serializers.DictField(
        child=serializers.IntegerField(), help_text="Records by what becomes of them."
    )
    quality = QualityFacts(allow_null=True)


class PanelCheckOutput(serializers.Serializer[Any]):
    class ChunkCheck(serializers.Serializer[Any]):
        name = serializers.CharField()
        sites = serializers.IntegerField()
        found = serializers.IntegerField(help_text="Those of them that are in the panel.")
        samples_low_call_rate = serializers.IntegerField()
        fault = serializers.CharField(allow_null=True, help_text="Why it is left out.")

    panel = serializers.IntegerField(help_text="Its id.")
    panel_name = serializers.CharField()
    panel_key = serializers.CharField(help_text="The service's own name for it.")
    checked_at = serializers.DateTimeField()
    known = serializers.BooleanField(help_text="Whether the panel's sites are known here.")
    build = serializers.CharField(allow_null=True)
    overlap = serializers.FloatField(
        allow_null=True, help_text="Share of the file's sites that the panel has."
    )
    matches = serializers.IntegerField()
    palindromic = serializers.IntegerField()
    strand_flips = serializers.IntegerField()
    allele_switches = serializers.IntegerField()
    both = serializers.IntegerField(help_text="Flips and switches at once; in neither of these.")
    mismatches = serializers.IntegerField()
    typed_only = serializers.IntegerField()
    low_call_rate = serializers.IntegerField()
    frequency_correlation = serializers.FloatField(allow_null=True)
    frequency_outliers = serializers.IntegerField()
    chunks_kept = serializers.IntegerField()
    chunks_excluded = serializers.IntegerField()
    chunks = ChunkCheck(many=True)
    accepted = serializers.ChoiceField(
        choices=[each.value for each in Accepted],
        help_text="Whether the service would impute the file.",
    )
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Why not.")
