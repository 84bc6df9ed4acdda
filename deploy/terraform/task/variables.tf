variable "name" {
  description = "Name or name prefix of all resources"
  type        = string
}

variable "image_uri" {
  description = "basewatch image in ECR, with its digest"
  type        = string
}

variable "architecture" {
  description = "Architecture of the image: x86_64 or arm64"
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
  description = "Command of basewatch to run"
  type        = list(string)
}

variable "environment" {
  description = "Environment variables of the container"
  type        = map(string)
}

variable "secrets" {
  description = "Environment variables of the container from Secrets Manager, as ARNs"
  type        = map(string)
  default     = {}
}

variable "secrets_key_arn" {
  description = "KMS key of these secrets, if it is not the default key of Secrets Manager"
  type        = string
  default     = null
}

variable "port" {
  description = "Port of the container; none if null"
  type        = number
  default     = null
}

variable "policies" {
  description = "Policies of basewatch's role, by name"
  type        = map(string)
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of all roles of this module; none if null"
  type        = string
}

variable "vpc_id" {
  description = "VPC of the task"
  type        = string
}

variable "cluster_arn" {
  description = "ECS cluster of the task; created if null"
  type        = string
}

variable "log_group" {
  description = "Log group of the task"
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
