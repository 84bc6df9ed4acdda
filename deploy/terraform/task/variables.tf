variable "name" {
  description = "What everything is called, or begins with"
  type        = string
}

variable "image_uri" {
  description = "The image of basewatch in ECR, by its digest"
  type        = string
}

variable "architecture" {
  description = "What the image was built for: x86_64 or arm64"
  type        = string
}

variable "cpu" {
  description = "CPU units of the task"
  type        = number
}

variable "memory" {
  description = "Memory of the task in MiB"
  type        = number
}

variable "command" {
  description = "The command of basewatch that runs"
  type        = list(string)
}

variable "environment" {
  description = "The variables of the container"
  type        = map(string)
}

variable "secrets" {
  description = "Variables of the container whose values are in Secrets Manager: their ARNs"
  type        = map(string)
  default     = {}
}

variable "secrets_key_arn" {
  description = "The KMS key of these secrets, if it is not that of Secrets Manager itself"
  type        = string
  default     = null
}

variable "port" {
  description = "The port that the container listens at; null for none"
  type        = number
  default     = null
}

variable "policies" {
  description = "The policies of the role that basewatch runs as, by name"
  type        = map(string)
}

variable "permissions_boundary" {
  description = "The ARN of a policy that bounds every role that is made here; none if null"
  type        = string
}

variable "vpc_id" {
  description = "Where the task runs"
  type        = string
}

variable "cluster_arn" {
  description = "The cluster in which it runs; one is made if null"
  type        = string
}

variable "log_group" {
  description = "Where the log goes"
  type        = object({ name = string, arn = string })
}

variable "region" {
  description = "The region of the log group"
  type        = string
}

variable "account" {
  description = "The account of the task"
  type        = string
}

variable "partition" {
  description = "The partition of the task"
  type        = string
}
