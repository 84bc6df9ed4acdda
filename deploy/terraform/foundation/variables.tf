variable "name" {
  description = "What everything is called, or begins with"
  type        = string
}

variable "log_group_name" {
  description = "The log group that the key may encrypt, and that is made"
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept"
  type        = number
}

variable "alert_emails" {
  description = "Who gets alerts about old bases by mail"
  type        = set(string)
}

variable "ops_emails" {
  description = "Who gets alarms about basewatch itself by mail"
  type        = set(string)
}

variable "audit_policy" {
  description = "What `basewatch config iam` prints for your configuration; what any configuration needs if null"
  type        = string
}

variable "audit_role_name" {
  description = "The role that is assumed in each account, as [accounts] of the configuration names it; null for none"
  type        = string
}

variable "audit_account_ids" {
  description = "The accounts that [accounts] of the configuration lists in ids; the role may be assumed in no other"
  type        = set(string)
}

variable "audit_organization" {
  description = "Whether [accounts] of the configuration says organization = true; then the role may be assumed in all of its accounts"
  type        = bool
}

variable "secret_arns" {
  description = "The secrets in Secrets Manager that the configuration names"
  type        = list(string)
}

variable "force_destroy" {
  description = "Whether the bucket is removed with all that is in it"
  type        = bool
}
