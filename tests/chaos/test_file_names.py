"""File names with paths and odd characters: stored under a name of ours, or refused in words."""

import re

from tests.chaos.site import Site, study_of
from tests.michigan_server import MichiganServer

LONG = b"a" * 248 + b".vcf.gz"  # 255 bytes
TAKEN = {
    "a path": b"/etc/cron.d/study.vcf.gz",
    "a way out": b"../../../../../../tmp/study.vcf.gz",
    "a way out of Windows": rb"..\..\C:\study.vcf.gz",
    "an encoded way out": b"%2e%2e%2f%2e%2e%2fstudy.vcf.gz",
    "255 bytes": LONG,
    "right to left": "\u202ezg.fcv.\u202cstudy.vcf.gz".encode(),
    "another script": "исследование-研究-دراسة.vcf.gz".encode(),
    "combining marks": ("e\u0301" * 40 + ".vcf.gz").encode(),
    "a shell": b"$(reboot);`id`|&.vcf.gz",
    "a dash first": b"-rf.vcf.gz",
    "a dot first": b".study.vcf.gz",
    "only an ending": b".vcf.gz",
    "spaces": b"  my study .vcf.gz",
    "capitals": b"STUDY.VCF.GZ",
    "markup": b"<img src=x onerror=alert(1)>.vcf.gz",
    "NUL": b"st\0udy.vcf.gz",
    "a line break": b"st\x0budy.vcf.gz",
}
REFUSED = {
    "bytes that are no text": b"\xff\xfe\xfd.vcf.gz",
    "no ending": b"study",
    "another ending": b"study.vcf.gz/",
    "two dots": b"..",
    "nothing": b"",
    "256 bytes": b"a" + LONG,
    "a kilobyte": b"a" * 1024 + b".vcf.gz",
}


def test_odd_names_are_kept_out_of_the_file_system(site: Site, service: MichiganServer):
    panel = site.register(service.url, token=service.token)
    before = set(site.files())
    jobs = {}
    for what, name in TAKEN.items():
        answer = site.send(site.form(panel, content=study_of(2_000), file_name=name))
        assert answer.status_code == 201, (what, answer.text)
        jobs[answer.json()["id"]] = what

    for job_id, what in jobs.items():
        assert site.wait(job_id).status == "completed", what
    stored = [path for path in set(site.files()) - before if path.startswith("uploads/")]
    assert len(stored) == len(TAKEN)
    for path in stored:
        assert re.fullmatch(r"uploads/input/[0-9a-f]{32}-[A-Za-z0-9._-]+", path)
        assert path.lower().endswith(".vcf.gz")
    sent = [name for found in service.jobs.values() for name in found.uploads]
    assert len(sent) == len(TAKEN)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.vcf\.gz", name) for name in sent), sent


def test_impossible_names_are_refused_in_words(site: Site, service: MichiganServer):
    panel = site.register(service.url, token=service.token)
    before, jobs = site.files(), site.job_count()

    for what, name in REFUSED.items():
        answer = site.send(site.form(panel, content=study_of(2_000), file_name=name))
        assert answer.status_code == 400, (what, answer.text)
        assert answer.json()["message"].endswith("."), (what, answer.text)

    assert site.files() == before
    assert site.job_count() == jobs


def test_results_with_odd_names_are_kept_apart(site: Site, service: MichiganServer):
    panel = site.register(service.url, token=service.token)
    service.files = {
        "a/chr20.txt": b"one",
        "b/chr20.txt": b"two",
        "CHR20.txt": b"three",
        "\u202etxt.02rhc": b"four",
        "x" * 200 + ".txt": b"five",
    }

    job = site.wait(site.send(site.form(panel, content=study_of(2_000))).json()["id"])

    assert job.status == "completed", job.reason
    files = site.api.files(job.id)
    assert {file.name for file in files} == set(service.files)
    for file in files:
        answer = site.session.get(f"{site.url}/api/result-files/{file.id}/download/", timeout=30)
        assert answer.content == service.files[file.name]
        shown = answer.headers["Content-Disposition"]
        assert "/" not in shown.partition("filename=")[2].partition(";")[0]
        assert shown.isprintable()


def test_two_parts_of_one_name_are_one_upload(site: Site, service: MichiganServer):
    panel = site.register(service.url, token=service.token)
    form = site.form(panel, content=study_of(2_000))
    part = form.body[form.body.index(b'--chaos\r\nContent-Disposition: form-data; name="input_f') :]
    twice = form.body.replace(part, part.removesuffix(b"--chaos--\r\n") + part)
    before = set(site.files())

    answer = site.send(type(form)(content_type=form.content_type, body=twice))

    assert answer.status_code == 201, answer.text
    stored = [p for p in set(site.files()) - before if p.startswith("uploads/")]
    assert len(stored) == 1
    assert site.wait(answer.json()["id"]).status == "completed"
