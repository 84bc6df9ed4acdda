"""Account Management: the regions that an account has enabled, which moto cannot list."""

from moto.account.responses import AccountResponse
from moto.account.urls import url_paths
from moto.core.responses import ActionResult

from .patching import added

ENABLED = ["eu-west-1", "us-east-1"]


def apply():
    """Adds the list."""

    @added(AccountResponse)
    def list_regions(_):
        regions = [{"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"} for name in ENABLED]
        return ActionResult({"Regions": regions})

    url_paths["{0}/listRegions$"] = AccountResponse.dispatch
