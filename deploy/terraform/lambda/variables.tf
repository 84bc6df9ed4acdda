variable "name" {
  description = "What everything is called, or begins with"
  type        = string
  default     = "basewatch"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}$", var.name))
    error_message = "The name needs 2 to 29 small letters, digits and hyphens, a letter first."
  }
}

variable "image_uri" {
  description = "The image of basewatch in ECR, by its digest"
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "Name the image by its digest: REGISTRY/REPOSITORY@sha256:DIGEST."
  }
}

variable "architecture" {
  description = "What the image was built for: x86_64 or arm64"
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture is x86_64 or arm64."
  }
}

variable "alert_emails" {
  description = "Who gets alerts about old bases by mail"
  type        = set(string)
  default     = []
}

variable "ops_emails" {
  description = "Who gets alarms about basewatch itself by mail"
  type        = set(string)
  default     = []
}

variable "permissions_boundary" {
  description = "The ARN of a policy that bounds every role that is made here; none if null"
  type        = string
  default     = null
}

variable "audit_policy" {
  description = "What `basewatch config iam` prints for your configuration; what any configuration needs if null"
  type        = string
  default     = null
}

variable "audit_role_name" {
  description = "The role that is assumed in each account, as [accounts] of the configuration names it; none if null"
  type        = string
  default     = null
}

variable "audit_account_ids" {
  description = "The accounts that [accounts] of the configuration lists in ids; the role may be assumed in no other"
  type        = set(string)
  default     = []
}

variable "audit_organization" {
  description = "Whether [accounts] of the configuration says organization = true; then the role may be assumed in all of its accounts"
  type        = bool
  default     = false
}

variable "secret_arns" {
  description = "The secrets in Secrets Manager that the configuration names"
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "How long logs are kept"
  type        = number
  default     = 90
}

variable "force_destroy" {
  description = "Whether the bucket is removed with all that is in it"
  type        = bool
  default     = false
}

variable "schedule_expression" {
  description = "When to run, as EventBridge Scheduler has it"
  type        = string
  default     = "cron(0 6 * * ? *)"
}

variable "schedule_time_zone" {
  description = "Where the clock hangs that the schedule means, as in Europe/Berlin"
  type        = string
  default     = "UTC"
}

variable "schedule_flexible_minutes" {
  description = "How much later a run may begin"
  type        = number
  default     = 15
}

variable "hours_without_run" {
  description = "After this many hours without a run there is an alarm: the longest time between two, and two hours"
  type        = number
  default     = 26

  validation {
    condition     = var.hours_without_run >= 1 && var.hours_without_run <= 168
    error_message = "CloudWatch looks back for a week at the most."
  }
}

variable "memory_size" {
  description = "Memory in MiB; the CPU grows with it"
  type        = number
  default     = 512
}

variable "reserved_concurrency" {
  description = "1 keeps runs from overlapping; -1 reserves nothing, for accounts whose quota leaves nothing to reserve"
  type        = number
  default     = 1

  validation {
    condition     = contains([1, -1], var.reserved_concurrency)
    error_message = "It is 1 or -1."
  }
}

variable "watch_pushes" {
  description = "Whether each image that is pushed to ECR of this account and region is looked at at once"
  type        = bool
  default     = false
}
