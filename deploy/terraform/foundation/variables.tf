variable "name" {
  description = "Name or name prefix of all resources"
  type        = string
}

variable "log_group_name" {
  description = "Name of the log group, which is created and encrypted with the key"
  type        = string
}

variable "log_retention_days" {
  description = "Log retention in days"
  type        = number
}

variable "alert_emails" {
  description = "Email addresses for alerts about outdated bases"
  type        = set(string)
}

variable "ops_emails" {
  description = "Email addresses for alarms about basewatch itself"
  type        = set(string)
}

variable "audit_policy" {
  description = "Output of `basewatch config iam` for your configuration; permissions for any configuration if null"
  type        = string
}

variable "audit_role_name" {
  description = "Name of the role to assume in each account, as in [accounts] of the configuration; null for none"
  type        = string
}

variable "audit_account_ids" {
  description = "Account IDs of [accounts] in the configuration; the role can be assumed only in these accounts"
  type        = set(string)
}

variable "audit_organization" {
  description = "Whether [accounts] of the configuration sets ids = [\"*\"]; the role can then be assumed in all accounts of it"
  type        = bool
}

variable "secret_arns" {
  description = "ARNs of the Secrets Manager secrets in the configuration"
  type        = list(string)
}

variable "force_destroy" {
  description = "Whether destroying the module deletes the bucket and its objects"
  type        = bool
}
