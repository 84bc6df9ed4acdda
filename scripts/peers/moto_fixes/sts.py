"""STS: who may assume which role."""

import json
import re

from moto.iam.models import iam_backends
from moto.sts.exceptions import STSClientError
from moto.sts.responses import TokenResponse

from .patching import wrapped

# Made by AWS Organizations in each account that it creates; its managing account may assume it.
MADE_BY_ORGANIZATIONS = "OrganizationAccountAccessRole"


def trusts(policy, external_id):
    """Whether the trust policy `policy` accepts a caller with `external_id`."""
    for statement in json.loads(policy)["Statement"]:
        wanted = statement.get("Condition", {}).get("StringEquals", {}).get("sts:ExternalId")
        if statement["Effect"] == "Allow" and wanted in (None, external_id):
            return True
    return False


def apply():
    """A role must exist and trust the caller; moto returns credentials of any account to every caller."""

    @wrapped(TokenResponse, "assume_role")
    def assume_role(original, self):
        arn = self._get_param("RoleArn")
        account, name = re.fullmatch(r"arn:aws:iam::(\d{12}):role/(?:.*/)?([^/]+)", arn).groups()
        roles = iam_backends[account]["aws"].roles.values()
        role = next((role for role in roles if role.name == name), None)
        is_trusted = role and trusts(role.assume_role_policy_document, self._get_param("ExternalId"))
        if not is_trusted and name != MADE_BY_ORGANIZATIONS:
            # STS does not reveal whether the role is missing or does not trust the caller.
            who = f"arn:aws:iam::{self.current_account}:user/moto"
            message = f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise STSClientError("AccessDenied", message)
        return original(self)
