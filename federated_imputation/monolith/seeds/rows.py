"""The rows of the legacy system's first data, with their ids. Facts: carried, not mended."""

from typing import Any, Final

__all__ = ["PANELS", "PROFILES", "ROLES", "ROLE_PERMISSIONS", "SERVICES", "USERS"]

_VCF: Final = ["vcf", "vcf.gz"]
_VCF_PLINK: Final = [*_VCF, "plink"]
_WES: Final = {"workflow_engines": ["NFL", "SMK"], "filesystem_protocols": ["file", "S3"]}

SERVICES: Final[tuple[dict[str, Any], ...]] = (
    {
        "id": 1,
        "name": "H3Africa Imputation Service",
        "service_type": "h3africa",
        "api_type": "michigan",
        "api_url": "https://h3africa.org/imputation",
        "description": "Pan-African imputation service with African-specific reference panels",
        "api_key_required": True,
        "max_file_size_mb": 100,
        "supported_formats": _VCF,
        "location": "H3Africa Consortium, Pan-African Network",
        "continent": "Africa",
    },
    {
        "id": 2,
        "name": "Michigan Imputation Server",
        "service_type": "michigan",
        "api_type": "michigan",
        "api_url": "https://imputationserver.sph.umich.edu",
        "description": "Fast and accurate genotype imputation service",
        "api_key_required": True,
        "max_file_size_mb": 200,
        "supported_formats": _VCF_PLINK,
        "location": "University of Michigan, Ann Arbor, Michigan, USA",
        "continent": "North America",
    },
    {
        "id": 3,
        "name": "eLwazi MALI Node - Imputation Service",
        "service_type": "h3africa",
        "api_type": "ga4gh",
        "api_url": "http://elwazi-node.icermali.org:6000/ga4gh/wes/v1",
        "description": (
            "GA4GH WES service at eLwazi Node supporting Nextflow and Snakemake workflows"
        ),
        "api_key_required": False,
        "max_file_size_mb": 500,
        "supported_formats": _VCF_PLINK,
        "location": "University of Sciences, Techniques and Technologies of Bamako, Bamako, Mali",
        "continent": "Africa",
        "api_config": _WES,
    },
    {
        "id": 4,
        "name": "eLwazi ILIFU Node - Imputation Service",
        "service_type": "h3africa",
        "api_type": "ga4gh",
        "api_url": "http://ga4gh-starter-kit.ilifu.ac.za:6000/ga4gh/wes/v1",
        "description": "GA4GH WES starter kit deployment at ILIFU for imputation workflows",
        "api_key_required": False,
        "max_file_size_mb": 500,
        "supported_formats": _VCF_PLINK,
        "location": "University of Cape Town, Cape Town, South Africa",
        "continent": "Africa",
        "api_config": _WES,
    },
    {
        "id": 5,
        "name": "eLwazi Omics Platform",
        "service_type": "dnastack",
        "api_type": "dnastack",
        "api_url": "https://platform.elwazi.org",
        "description": ("eLwazi Omics Platform for genomic data analysis and imputation workflows"),
        "api_key_required": True,
        "max_file_size_mb": 1000,
        "supported_formats": [*_VCF_PLINK, "bed", "bim", "fam"],
        "location": "Witwatersrand University, Johannesburg, South Africa",
        "continent": "Africa",
        "api_config": {
            "platform_type": "omics_platform",
            "supported_analyses": ["imputation", "gwas", "ancestry"],
            "compute_environments": ["cloud", "hpc"],
        },
    },
)

# id, service, panel id, name, population, samples, variants; all of build hg38.
_PANELS: Final = (
    (1, 1, "h3africa_panel_1", "African Multi-Ethnic Panel", "African", 5_000, 20_000_000),
    (2, 1, "h3africa_panel_2", "West African Panel", "West African", 2_000, 15_000_000),
    (3, 1, "h3africa_panel_3", "East African Panel", "East African", 1_500, 14_000_000),
    (4, 1, "h3africa_panel_4", "South African Panel", "South African", 1_800, 16_000_000),
    (5, 1, "h3africa_panel_5", "North African Panel", "North African", 1_200, 13_000_000),
    (6, 2, "michigan_panel_1", "HRC r1.1 2016", "Mixed", 32_488, 39_635_008),
    (7, 2, "michigan_panel_2", "1000G Phase 3 v5", "Mixed", 2_504, 49_143_605),
    (8, 2, "michigan_panel_3", "CAAPA African American", "African American", 883, 31_163_897),
    (9, 3, "nfl-imputation-v1", "Nextflow Imputation Pipeline", "African", 5_000, 20_000_000),
    (10, 3, "smk-imputation-v1", "Snakemake Imputation Pipeline", "African", 5_000, 20_000_000),
    (11, 4, "nfl-imputation-v1", "Nextflow Imputation Pipeline", "African", 5_000, 20_000_000),
    (12, 4, "smk-imputation-v1", "Snakemake Imputation Pipeline", "African", 5_000, 20_000_000),
    (13, 5, "elwazi_african_v1", "African Genomics Panel", "African", 8_000, 25_000_000),
    (
        14,
        5,
        "elwazi_pan_african_v2",
        "Pan-African Diversity Panel",
        "Pan-African",
        6_500,
        22_000_000,
    ),
)
PANELS: Final[tuple[dict[str, Any], ...]] = tuple(
    {
        "id": number,
        "service_id": service,
        "panel_id": panel_id,
        "name": name,
        "population": population,
        "build": "hg38",
        "samples_count": samples,
        "variants_count": variants,
    }
    for number, service, panel_id, name, population, samples, variants in _PANELS
)

ROLES: Final[tuple[dict[str, Any], ...]] = (
    {"id": 1, "name": "admin", "description": "May do everything on the platform"},
    {"id": 2, "name": "service_admin", "description": "Keeps imputation services and their users"},
    {"id": 3, "name": "researcher", "description": "Submits imputation jobs and changes them"},
    {"id": 4, "name": "service_user", "description": "Submits imputation jobs"},
    {"id": 5, "name": "viewer", "description": "Sees the imputation services"},
)

# The models whose add, change, delete and view permissions make the administrator's 76.
_ADMINISTERED: Final = (
    ("admin", ("logentry",)),
    ("auth", ("group", "permission", "user")),
    ("contenttypes", ("contenttype",)),
    ("sessions", ("session",)),
    (
        "imputation",
        (
            "auditlog",
            "imputationjob",
            "imputationservice",
            "jobstatusupdate",
            "referencepanel",
            "resultfile",
            "serviceconfiguration",
            "servicepermission",
            "serviceusergroup",
            "serviceusergroupmembership",
            "userprofile",
            "userrole",
            "userserviceaccess",
        ),
    ),
)
# Role id -> (app label, codename).
ROLE_PERMISSIONS: Final[dict[int, tuple[tuple[str, str], ...]]] = {
    1: tuple(
        (app, f"{action}_{model}")
        for app, models in _ADMINISTERED
        for model in models
        for action in ("add", "change", "delete", "view")
    ),
    2: (
        ("imputation", "add_imputationservice"),
        ("imputation", "change_imputationservice"),
        ("imputation", "view_imputationservice"),
        ("auth", "add_user"),
        ("auth", "change_user"),
        ("auth", "view_user"),
    ),
    3: (
        ("imputation", "add_imputationjob"),
        ("imputation", "change_imputationjob"),
        ("imputation", "view_imputationjob"),
        ("imputation", "view_imputationservice"),
    ),
    4: (
        ("imputation", "add_imputationjob"),
        ("imputation", "view_imputationjob"),
        ("imputation", "view_imputationservice"),
    ),
    5: (("imputation", "view_imputationservice"),),
}

USERS: Final[tuple[dict[str, Any], ...]] = (
    {
        "id": 1,
        "username": "test_user",
        "email": "test@example.com",
        "first_name": "Test",
        "last_name": "User",
    },
    {
        "id": 2,
        "username": "admin",
        "email": "admin@example.com",
        "first_name": "Admin",
        "last_name": "User",
        "is_staff": True,
        "is_superuser": True,
    },
)
PROFILES: Final[tuple[dict[str, Any], ...]] = (
    {
        "id": 1,
        "user_id": 1,
        "role_id": 3,
        "organization": "Demo Organization",
        "department": "Genomics Research",
        "position": "Research Scientist",
        "research_area": "Population Genetics",
        "institution": "Demo University",
        "country": "South Africa",
        "is_verified": True,
        "monthly_job_limit": 50,
    },
    {
        "id": 2,
        "user_id": 2,
        "role_id": 1,
        "organization": "System Administration",
        "department": "IT",
        "position": "System Administrator",
        "is_verified": True,
        "monthly_job_limit": 1000,
    },
)
