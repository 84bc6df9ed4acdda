output "cluster_arn" {
  description = "ECS cluster of the task"
  value       = module.task.cluster_arn
}

output "task_definition_arn" {
  description = "ARN of the task definition"
  value       = module.task.task_definition_arn
}

output "security_group_id" {
  description = "The security group of the task"
  value       = module.task.security_group_id
}

output "role_arn" {
  description = "ARN of basewatch's role, for the trust policies of the roles in other accounts"
  value       = module.task.task_role_arn
}

output "bucket_name" {
  description = "Bucket for basewatch.toml and the store"
  value       = module.foundation.bucket_name
}

output "alert_topic_arn" {
  description = "ARN of the alert topic, for [[notify.sns]] in the configuration"
  value       = module.foundation.alert_topic_arn
}

output "ops_topic_arn" {
  description = "ARN of the topic for alarms about basewatch itself"
  value       = module.foundation.ops_topic_arn
}

output "dead_letters_url" {
  description = "URL of the dead-letter queue of runs that could not be started"
  value       = module.schedule.dead_letters.url
}

output "log_group_name" {
  description = "Log group"
  value       = module.foundation.log_group.name
}
