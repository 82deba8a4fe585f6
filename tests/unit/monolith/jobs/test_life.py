"""A job's life against a real server that speaks the API."""

from hashlib import sha256

from tests.unit.monolith.jobs.world import FILES, World


def test_job_is_submitted_once_followed_and_fetched(world: World):
    job_id = world.submit(phasing=True)

    job = world.finish(job_id)

    assert job.status == "completed"
    assert job.progress_percentage == 100
    assert world.server.submissions == {f"fip-{job_id}": 1}
    assert world.stored(job_id) == FILES
    assert {file.filename: file.checksum for file in job.files.all()} == {
        name: sha256(content).hexdigest() for name, content in FILES.items()
    }
