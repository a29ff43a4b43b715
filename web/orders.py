"""Orders: from the body of a request to a job, and to what it has uploaded before."""

from __future__ import annotations

from flask import Request

from web.aside import aside
from web.body import Bodies
from web.books import Books
from web.guard import account_of_request, own
from web.job_problems import (
    InputTooLarge,
    JobConflict,
    JobsFull,
    UploadIncomplete,
    UploadTooLarge,
    UploadUnknown,
)
from web.job_wire import JobRequest
from web.lobby import Lobby
from web.problems import AlgorithmUnknown, FieldInvalid
from web.status import LatestStatus
from workers.contract.files import NoRoom
from workers.contract.job import Job
from workers.contract.jobs import Conflict, Jobs, UploadGone
from workers.contract.lanes import LANES
from workers.contract.uploads import Upload, Uploads

# For memory that other bodies have.
_PATIENCE_S = 5.0


class Orders:
    """Those of one front process."""

    def __init__(
        self, jobs: Jobs, uploads: Uploads, latest: LatestStatus, lobby: Lobby, books: Books
    ) -> None:
        self._jobs = jobs
        self._books = books
        self._uploads = uploads
        self._latest = latest
        self._lobby = lobby
        self._bodies = Bodies(max(lane.inline_bytes for lane in LANES.values()), InputTooLarge)

    def take(self, request: Request, name: str) -> Job:
        """The job of this id that the request asks for, whether it is new or not.

        Raises:
            Problem: any of those this module imports, and those of ``Bodies`` and ``JobRequest``.
        """
        body = self._bodies.read(request.environ, _PATIENCE_S)
        self._lobby.leave()
        return self.create(name, JobRequest.parse(body))

    def create(self, name: str, asked: JobRequest) -> Job:
        """The same, of what was read already."""
        try:
            algorithm = self._latest.named(asked.algorithm)
        except AlgorithmUnknown as error:
            raise FieldInvalid(f"algorithm: {error}") from error
        self._books.require_left(account_of_request(), algorithm)
        uploaded = self._uploaded(asked)
        order = asked.order(own(name), algorithm, list(uploaded.values()))
        files = {each: self._uploads.file(upload) for each, upload in uploaded.items()}
        try:
            job = aside(self._jobs.create, order, lambda folder: asked.bring(folder, files))
        except UploadGone as error:
            raise UploadUnknown from error
        except Conflict as error:
            raise JobConflict from error
        except NoRoom as error:
            raise JobsFull from error
        for upload in uploaded.values():
            # By now the job has its file.
            aside(self._uploads.forget, upload)
        return job

    def _uploaded(self, asked: JobRequest) -> dict[str, Upload]:
        """The uploads that are there; of a job that is sent again they are not any more."""
        found = {name: aside(self._uploads.find, own(name)) for name in asked.uploads}
        there = {name: upload for name, upload in found.items() if upload is not None}
        limit = LANES[asked.lane].upload_bytes
        for name, upload in there.items():
            if upload.sha256 is None:
                raise UploadIncomplete(f"Complete the upload {name}, then send the job again.")
            if limit is not None and upload.size > limit:
                raise UploadTooLarge(limit, asked.lane)
        return there
