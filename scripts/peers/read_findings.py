"""Validates Security Hub findings against the API model of AWS, and imports them.

    read_findings.py ENDPOINT REGION ACCOUNT

Prints the findings that Security Hub at ENDPOINT has, as JSON, after validating each as boto3 validates a request.
"""

import json
import sys

import boto3
from botocore.validate import ParamValidator

endpoint, region, account = sys.argv[1:]
client = boto3.client(
    "securityhub",
    endpoint_url=endpoint,
    region_name=region,
    aws_access_key_id="AKIDEXAMPLE",
    aws_secret_access_key="not-a-secret",
)
found = client.get_findings()["Findings"]
shape = client.meta.service_model.operation_model("BatchImportFindings").input_shape
report = ParamValidator().validate({"Findings": found}, shape)
if report.has_errors():
    sys.exit(report.generate_report())


def unknown(value, shape, path):
    """The fields that the model does not have: the validator ignores them."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            if name not in shape.members:
                yield f"{path}.{name}"
            else:
                yield from unknown(inner, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            yield from unknown(inner, shape.member, path)


strange = list(unknown({"Findings": found}, shape, ""))
if strange:
    sys.exit(f"unknown fields: {strange}")
print(json.dumps([finding for finding in found if finding["AwsAccountId"] == account]))
