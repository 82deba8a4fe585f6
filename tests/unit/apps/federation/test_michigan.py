"""The adapter against a scripted server: discovery, submission, jobs."""

import hashlib


def test_a_submission_carries_all_its_fields_and_files(michigan, server, submission):
    external_id = michigan.submit(submission)

    job = server.jobs[external_id]
    assert job.name == "fip-1"
    assert job.fields == {
        "job-name": "fip-1",
        "refpanel": "apps@kit-afr@1.0.0",
        "build": "hg19",
        "r2Filter": "0.3",
        "phasing": "no_phasing",
        "population": "afr",
        "mode": "imputation",
        "aesEncryption": "true",
        "meta": "true",
        "password": "Secret-1",
    }
    content = submission.files[0].path.read_bytes()
    assert job.uploads == {"chr20.vcf.gz": (len(content), hashlib.sha256(content).hexdigest())}
