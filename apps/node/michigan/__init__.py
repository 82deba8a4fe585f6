"""What clients of the Michigan Imputation Server see: Cloudgene 3 with imputationserver2."""
