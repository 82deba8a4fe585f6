#!/usr/bin/env python
"""The one command line: `platform …` runs the embedded platform, `genotypes …` looks after files.

Neither needs settings. All else is Django's.
"""

import sys

from federated_imputation import deployments

if __name__ == "__main__":
    if sys.argv[1:2] == ["platform"]:
        from federated_imputation.platform.cli import main

        sys.exit(main(sys.argv[2:]))
    if sys.argv[1:2] == ["genotypes"]:
        from apps.genotypes.commands import main

        sys.exit(main(sys.argv[2:]))
    deployments.select_settings()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
