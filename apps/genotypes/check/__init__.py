"""The upload check: what is wrong with a file of genotypes, before any service refuses it."""
