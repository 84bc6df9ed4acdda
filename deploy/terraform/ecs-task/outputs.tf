output "cluster_arn" {
  description = "The cluster in which it runs"
  value       = module.task.cluster_arn
}

output "task_definition_arn" {
  description = "What runs"
  value       = module.task.task_definition_arn
}

output "security_group_id" {
  description = "The security group of the task"
  value       = module.task.security_group_id
}

output "role_arn" {
  description = "Whom the trust policies of the roles in other accounts let in"
  value       = module.task.task_role_arn
}

output "bucket_name" {
  description = "Where basewatch.toml belongs, and where the store is"
  value       = module.foundation.bucket_name
}

output "alert_topic_arn" {
  description = "What [[notify.sns]] of the configuration names"
  value       = module.foundation.alert_topic_arn
}

output "ops_topic_arn" {
  description = "Where alarms about basewatch itself go"
  value       = module.foundation.ops_topic_arn
}

output "dead_letters_url" {
  description = "Where the runs are that could not be asked for"
  value       = aws_sqs_queue.dead_letters.url
}

output "log_group_name" {
  description = "Where the log is"
  value       = module.foundation.log_group.name
}
