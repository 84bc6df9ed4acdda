//! Remedies for functions that cannot be invoked or updated, by Lambda's reason code.

/// The remedy for the reason `code`, as the end of a sentence that begins with "to repair it".
///
/// The codes are those of `StateReasonCode` and `LastUpdateStatusReasonCode`
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html>).
pub(super) fn remedy(code: Option<&str>) -> &'static str {
    match code.unwrap_or_default() {
        "ImageAccessDenied" => {
            "allow lambda.amazonaws.com to call ecr:BatchGetImage and ecr:GetDownloadUrlForLayer in the policy of the \
             repository, then update the function with the same image"
        }
        "ImageDeleted" => "push the image again or choose another one, then update the function with it",
        "InvalidImage" => {
            "build an image that Lambda can run, for one platform and without attestations, then update the function \
             with it"
        }
        "DisabledKMSKey" => "enable the KMS key",
        "InvalidStateKMSKey" => "make the KMS key usable: cancel its deletion, or import its key material",
        "KMSKeyAccessDenied" => "allow the function's role to call kms:Decrypt with the KMS key",
        "KMSKeyNotFound" => "configure another KMS key: this one no longer exists",
        "EniLimitExceeded" => "raise the quota for network interfaces, or delete unused ones",
        "SubnetOutOfIPAddresses" => "free IP addresses in the subnets of the function, or add a subnet",
        "InvalidSubnet" => "configure subnets that exist",
        "InvalidSecurityGroup" => "configure security groups that exist",
        "DisallowedByVpcEncryptionControl" => "allow the function in the encryption control of the VPC",
        "InsufficientRolePermissions" => "grant the function's role the permissions that it lacks",
        "EFSIOError" | "EFSMountConnectivityError" | "EFSMountFailure" | "EFSMountTimeout" => {
            "make the file system reachable: check its mount targets, access point and security groups"
        }
        "InvalidConfiguration" | "InvalidRuntime" | "InvalidZipFileException" => {
            "correct the configuration that Lambda names, then update the function"
        }
        "CapacityProviderScalingLimitExceeded"
        | "EC2RequestLimitExceeded"
        | "InsufficientCapacity"
        | "ServiceQuotaExceededException"
        | "VcpuLimitExceeded" => "raise the limit that Lambda names, or choose other instance types",
        "Creating" | "DependencyError" | "DrainingDurableExecutions" | "InternalError" | "Restoring" => {
            "wait a few minutes and invoke the function; if it stays in this state, update its code"
        }
        code if code == "FunctionError" || code.starts_with("FunctionError.") => {
            "correct what makes the function fail when it starts; its logs show the error"
        }
        _ => OTHERWISE,
    }
}

/// The remedy for an unknown code.
const OTHERWISE: &str = "follow the reason that Lambda gives, then update the function";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_or_absent_code_has_a_remedy_too() {
        for code in [None, Some(""), Some("NewInNextYear"), Some("FunctionErrors")] {
            assert_eq!(remedy(code), OTHERWISE, "{code:?}");
        }
        assert_ne!(remedy(Some("FunctionError.NewInNextYear")), OTHERWISE);
    }
}
