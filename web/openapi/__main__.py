"""``python -m web.openapi``: the document as it is by default, for whoever makes clients of it."""

import json
import sys

from web.app import create_app
from web.settings import WebSettings

app = create_app(WebSettings.model_construct(jobs="jobs"))
json.dump(json.loads(app.extensions["openapi"]), sys.stdout, indent=2, ensure_ascii=False)
print()
