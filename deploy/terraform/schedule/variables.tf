variable "name" {
  description = "Name or name prefix of all resources"
  type        = string
}

variable "account" {
  description = "Account of the resources"
  type        = string
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role; none if null"
  type        = string
}

variable "schedule_expression" {
  description = "Schedule expression of EventBridge Scheduler"
  type        = string
}

variable "time_zone" {
  description = "Time zone of the schedule"
  type        = string
}

variable "flexible_minutes" {
  description = "Maximum delay of a run in minutes"
  type        = number
}

variable "target_arn" {
  description = "Function to invoke, or cluster to run the task in"
  type        = string
}

variable "policy" {
  description = "Policy that allows the schedule to start a run"
  type        = string
}

variable "fargate" {
  description = "Task to run; null for a function"
  type = object({
    task_definition_arn = string
    group               = string
    subnet_ids          = list(string)
    security_group_id   = string
    assign_public_ip    = bool
  })
  default = null
}

variable "missing_runs" {
  description = "Metric that shows that runs take place, and how the alarm begins"
  type = object({
    description = string
    namespace   = string
    metric_name = string
    dimensions  = map(string)
  })
}

variable "hours_without_run" {
  description = "Hours without a run after which an alarm is raised"
  type        = number
}

variable "given_up_description" {
  description = "What a message in the dead-letter queue means"
  type        = string
}

variable "guide" {
  description = "Page with the troubleshooting section that alarms name"
  type        = string
}

variable "ops_topic_arn" {
  description = "ARN of the topic for alarms about basewatch itself"
  type        = string
}
