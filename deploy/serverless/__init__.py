"""The same reader without a queue: one request in, one reply out, in one process.

For whoever starts processes by demand: AWS Lambda (``aws_lambda``) and SageMaker (``sagemaker``).
It knows of ``web`` what goes over the wire, of the workers their result, and neither server nor
Celery. docs/SERVERLESS.md says how to deploy it.
"""
