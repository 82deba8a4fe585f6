"""The one application of the node as its clients see it: name, version and parameters."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from apps.node.pipeline.panels import Panel
from apps.node.queries import shown_name

__all__ = ["APPLICATION_ID", "DEFAULTS", "NAME", "VERSION", "is_this_application", "schema"]

APPLICATION_ID: Final = "imputationserver2"
NAME: Final = "Genotype Imputation"
VERSION: Final = "2.0.12"  # of imputationserver2, whose parameters and texts these are

# What a submission that leaves a parameter out gets. Checkboxes are here since a missing one is no.
DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "refpanel": "",
        "build": "hg19",
        "r2Filter": "0",
        "phasing": "eagle",
        "population": "",
        "mode": "imputation",
        "aesEncryption": False,
        "meta": False,
        "myseparator": "",
        "check1": "",
        "check2": "",
    }
)


def is_this_application(name: str) -> bool:
    return name in {APPLICATION_ID, f"{APPLICATION_ID}@{VERSION}"}


def schema(panels: Sequence[Panel], *, title: str, phasings: Sequence[str]) -> dict[str, Any]:
    """The answer to `GET /api/v2/server/apps/{id}`, a form that clients build from.

    Phasing by a program that is not installed is not offered, so that who has unphased data knows
    before the upload. A submission that asks for it all the same is not refused, as at Cloudgene.

    Every parameter has a text `value`, and `password` is not listed though it is accepted: the
    official client relies on both.
    """
    return {
        "id": APPLICATION_ID,
        "name": NAME,
        "version": VERSION,
        "description": f"<p>Imputes genotypes against the reference panels of {_text(title)}.</p>",
        "author": "",
        "website": "",
        "logo": "",
        "submitButton": "Submit Job",
        "footer": "",
        "s3Workspace": False,
        "params": [
            _param(
                "refpanel",
                "Reference Panel",
                "app_list",
                values=[
                    {"key": panel.key, "value": shown_name(panel), "enabled": False}
                    for panel in panels
                ],
            ),
            _param("files", "Input Files (VCF)", "local_folder", accept=".vcf.gz", source="upload"),
            _param(
                "build",
                "Array Build",
                "list",
                values=_values({"hg19": "GRCh37/hg19", "hg38": "GRCh38/hg38"}),
            ),
            _param(
                "r2Filter",
                "rsq Filter",
                "list",
                values=_values({"0": "off", **{x: x for x in ("0.001", "0.1", "0.2", "0.3")}}),
            ),
            _phasing(phasings),
            _param(
                "population",
                "Population (for allele frequency comparison only)",
                "binded_list",
                bind="refpanel",
                values=[
                    {
                        "key": panel.key,
                        "label": shown_name(panel),
                        "values": _values({each.id: each.name for each in panel.populations}),
                    }
                    for panel in panels
                ],
            ),
            _param(
                "mode",
                "Mode",
                "list",
                values=_values(
                    {
                        "qc_only": "Quality Control Only",
                        "imputation": "Quality Control &amp; Imputation",
                    }
                ),
            ),
            _checkbox("aesEncryption", "AES 256 encryption"),
            _checkbox("meta", "Generate Meta-imputation file"),
            _param("myseparator", "", "separator", required=False),
            _param(
                "check1",
                "I will not attempt to re-identify or contact research participants.",
                "terms_checkbox",
            ),
            _param(
                "check2",
                "I will report any inadvertent data release, security breach or other data "
                "management incident of which I become aware.",
                "terms_checkbox",
            ),
        ],
    }


def _param(
    name: str, description: str, kind: str, *, required: bool = True, **more: Any
) -> dict[str, Any]:
    value = DEFAULTS.get(name, "")
    return {
        "id": name,
        "description": description,
        "type": kind,
        "visible": True,
        "required": required,
        "adminOnly": False,
        "value": str(value).lower() if isinstance(value, bool) else value,
        **more,
    }


def _phasing(installed: Sequence[str]) -> dict[str, Any]:
    labels = {"eagle": "Eagle v2.4", "beagle": "Beagle 5.4"}
    offered = {name: label for name, label in labels.items() if name in installed}
    offered["no_phasing"] = "No phasing"
    return {
        **_param("phasing", "Phasing", "list", values=_values(offered)),
        "value": next(iter(offered)),
    }


def _checkbox(name: str, description: str) -> dict[str, Any]:
    values = _values({"false": "false", "true": "true"})
    return _param(name, description, "checkbox", required=False, values=values)


def _values(names: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in names.items()]


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
