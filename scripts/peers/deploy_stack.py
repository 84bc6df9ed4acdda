"""Pushes an image, deploys a CloudFormation template with it, and prints the result.

    deploy_stack.py ENDPOINT TEMPLATE PARAMETERS

PARAMETERS is a JSON object of the template's parameters except ImageUri. Prints one JSON object: the outputs of the
stack, its resources (types and physical names) by logical name, and the policies of each role by logical name.
"""

import ast
import hashlib
import json
import sys

import boto3

NAME = "basewatch"


def client(service, endpoint):
    """An SDK client of a service at the endpoint."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="not-a-secret",
    )


def policies(iam, role):
    """The inline policies of a role, by name. moto keeps those of a template as Python writes them, with
    None where AWS::NoValue takes a statement away.
    """
    documents = {}
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        document = ast.literal_eval(document) if isinstance(document, str) else document
        document["Statement"] = [statement for statement in document["Statement"] if statement]
        documents[name] = document
    return documents


def push(ecr):
    """Pushes an empty image, and returns its reference."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "0" * 64, "size": 2}
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": []})
    digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    repository = ecr.create_repository(repositoryName=NAME)["repository"]
    ecr.put_image(
        repositoryName=NAME,
        imageManifest=manifest,
        imageManifestMediaType=media_type,
        imageDigest=digest,
        imageTag="1",
    )
    return f"{repository['repositoryUri']}@{digest}"


def main(endpoint, template, parameters):
    """Deploys and prints."""
    cloudformation, iam = client("cloudformation", endpoint), client("iam", endpoint)
    with open(template, encoding="utf-8") as file:
        body = file.read()
    parameters = {"ImageUri": push(client("ecr", endpoint))} | json.loads(parameters)
    listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    cloudformation.create_stack(
        StackName=NAME, TemplateBody=body, Parameters=listed, Capabilities=["CAPABILITY_IAM"]
    )
    stack = cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]
    made = cloudformation.list_stack_resources(StackName=NAME)["StackResourceSummaries"]
    # Resources that moto does not support are listed without a name.
    resources = {
        one["LogicalResourceId"]: {"type": one["ResourceType"], "name": one.get("PhysicalResourceId")}
        for one in made
        if one["LogicalResourceId"]
    }
    roles = [name for name, one in resources.items() if one["type"] == "AWS::IAM::Role"]
    json.dump(
        {
            "status": stack["StackStatus"],
            "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
            "resources": resources,
            "roles": {role: policies(iam, resources[role]["name"]) for role in roles},
            "boundaries": {
                role: iam.get_role(RoleName=resources[role]["name"])["Role"].get("PermissionsBoundary") for role in roles
            },
        },
        sys.stdout,
    )


main(*sys.argv[1:])
