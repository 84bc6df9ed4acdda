variable "name" {
  description = "Name or name prefix of all resources"
  type        = string
  default     = "basewatch"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}$", var.name))
    error_message = "The name must have 2 to 29 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "image_uri" {
  description = "basewatch image in ECR, with its digest"
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "The image must have a digest: REGISTRY/REPOSITORY@sha256:DIGEST."
  }
}

variable "architecture" {
  description = "Architecture of the image: x86_64 or arm64"
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture must be x86_64 or arm64."
  }
}

variable "alert_emails" {
  description = "Email addresses for alerts about outdated bases"
  type        = set(string)
  default     = []
}

variable "ops_emails" {
  description = "Email addresses for alarms about basewatch itself"
  type        = set(string)
  default     = []
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of all roles of this module; none if null"
  type        = string
  default     = null
}

variable "audit_policy" {
  description = "Output of `basewatch config iam` for your configuration; permissions for any configuration if null"
  type        = string
  default     = null
}

variable "audit_role_name" {
  description = "Name of the role to assume in each account, as in [accounts] of the configuration; none if null"
  type        = string
  default     = null
}

variable "audit_account_ids" {
  description = "Account IDs of [accounts] in the configuration; the role can be assumed only in these accounts"
  type        = set(string)
  default     = []
}

variable "audit_organization" {
  description = "Whether [accounts] of the configuration sets ids = [\"*\"]; the role can then be assumed in all accounts of it"
  type        = bool
  default     = false
}

variable "secret_arns" {
  description = "ARNs of the Secrets Manager secrets in the configuration"
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "Log retention in days"
  type        = number
  default     = 90
}

variable "force_destroy" {
  description = "Whether destroying the module deletes the bucket and its objects"
  type        = bool
  default     = false
}

variable "schedule_expression" {
  description = "Schedule expression of EventBridge Scheduler"
  type        = string
  default     = "cron(0 6 * * ? *)"
}

variable "schedule_time_zone" {
  description = "Time zone of the schedule, such as Europe/Berlin"
  type        = string
  default     = "UTC"
}

variable "schedule_flexible_minutes" {
  description = "Maximum delay of a run in minutes"
  type        = number
  default     = 15
}

variable "hours_without_run" {
  description = "Hours without a run after which an alarm is raised: the longest interval of the schedule plus two hours"
  type        = number
  default     = 26

  validation {
    condition     = var.hours_without_run >= 1 && var.hours_without_run <= 168
    error_message = "The maximum is 168 hours, one week."
  }
}

variable "memory_size" {
  description = "Memory in MiB; CPU power is proportional to it"
  type        = number
  default     = 512
}

variable "reserved_concurrency" {
  description = "1 prevents overlapping runs; -1 reserves no concurrency, for accounts without enough quota"
  type        = number
  default     = 1

  validation {
    condition     = contains([1, -1], var.reserved_concurrency)
    error_message = "The value must be 1 or -1."
  }
}

variable "watch_pushes" {
  description = "Whether to audit each image that is pushed to ECR in this account and region"
  type        = bool
  default     = false
}
