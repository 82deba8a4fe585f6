#!/usr/bin/env python
"""The one command line: `manage.py platform …` runs the embedded platform, all else is Django's."""

import sys

from federated_imputation import deployments

if __name__ == "__main__":
    if sys.argv[1:2] == ["platform"]:
        from federated_imputation.platform.cli import main

        sys.exit(main(sys.argv[2:]))
    deployments.select_settings()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
